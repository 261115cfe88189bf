"""Read models and screens: what people and programs see."""
