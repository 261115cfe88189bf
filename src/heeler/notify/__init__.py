"""Telling people and programs of alerts: one file for each way, all of them given the same notices."""
