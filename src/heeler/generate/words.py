"""The vocabulary of generated traffic: a small shop with an API, its visitors, and what scanners look for."""

from dataclasses import dataclass

PAGE = {200: 900, 301: 12, 302: 10, 304: 40, 404: 25, 500: 4, 502: 2, 503: 1}
READ = {200: 900, 304: 35, 400: 8, 401: 12, 403: 5, 404: 22, 429: 5, 500: 6, 502: 2, 503: 2, 504: 1}
WRITE = {200: 250, 201: 600, 202: 20, 400: 40, 401: 20, 403: 10, 409: 12, 422: 30, 500: 10, 503: 3}
REMOVE = {204: 900, 403: 20, 404: 50, 500: 5}
FILE = {200: 700, 206: 6, 304: 280, 404: 10, 403: 1, 499: 3}
SIGN_IN = {302: 620, 200: 80, 401: 260, 403: 15, 429: 20, 500: 4}
ALIVE = {200: 998, 503: 2}
ABSENT = {404: 920, 403: 60, 301: 20}

STATUS_BYTES = {204: 0, 301: 178, 302: 154, 304: 0, 499: 0, 400: 226, 401: 188, 403: 153, 404: 548, 409: 210, 422: 342,
                429: 169, 500: 582, 502: 157, 503: 197, 504: 167}  # fmt: skip
"""Typical bytes of answers that do not depend on what was asked for; 0 is logged as ``-``."""


@dataclass(frozen=True, slots=True)
class Route:
    """Requests of one kind.

    ``{n}`` in a path stands for many numbers and ``{slug}`` for many titles, some of them asked for far more often
    than others. ``spread`` is how much the bytes of one path vary: 0 for files. ``referers`` are the weights of
    no referer, a page of the site, and another site.
    """

    weight: float
    method: str
    paths: tuple[str, ...]
    statuses: dict[int, int]
    median_bytes: int
    spread: float
    queries: float = 0.0
    referers: tuple[int, int, int] = (40, 60, 0)


ROUTES = (
    Route(9, "GET", ("/",), PAGE, 14_200, 0.05, queries=0.12, referers=(45, 15, 40)),
    Route(15, "GET", ("/pages/{slug}", "/pages/help/{n}"), PAGE, 18_400, 0.2, queries=0.1, referers=(25, 50, 25)),
    Route(9, "GET", ("/products/{n}", "/products/{slug}/reviews"), PAGE, 22_800, 0.3, queries=0.2,
          referers=(15, 65, 20)),
    Route(4, "GET", ("/blog/2025/{slug}", "/blog/2026/{slug}", "/blog/feed.xml"), PAGE, 31_000, 0.1, queries=0.15,
          referers=(40, 20, 40)),
    Route(3, "GET", ("/search?q={slug}", "/search?q={slug}&page={n}"), PAGE, 16_900, 0.6, referers=(10, 85, 5)),
    Route(19, "GET", ("/api/v1/users/{n}", "/api/v1/orders/{n}", "/api/v1/products/{n}/stock", "/api/v1/products",
                      "/api/v2/recommendations", "/api/v2/session"), READ, 1_450, 0.9, queries=0.35,
          referers=(65, 35, 0)),
    Route(5, "POST", ("/api/v1/orders", "/api/v1/cart/items", "/api/v2/events", "/api/v1/users/{n}/messages"), WRITE,
          420, 0.5, referers=(65, 35, 0)),
    Route(1.5, "PUT", ("/api/v1/users/{n}", "/api/v1/cart/items/{n}"), READ, 510, 0.5),
    Route(0.6, "DELETE", ("/api/v1/cart/items/{n}", "/api/v2/session"), REMOVE, 40, 0.2),
    Route(0.5, "OPTIONS", ("/api/v1/orders", "/api/v2/events"), REMOVE, 40, 0.0),
    Route(16, "GET", ("/static/css/site.4f1c2a9b.css", "/static/js/app.77b0e3d1.js", "/static/js/vendor.0c9d51aa.js",
                      "/static/js/chunk-{n}.js", "/static/fonts/inter-var.woff2"), FILE, 38_000, 0.0,
          referers=(3, 97, 0)),
    Route(10, "GET", ("/images/products/{n}/large.jpg", "/images/products/{n}/thumb.webp?w=320", "/images/logo.svg"),
          FILE, 27_000, 0.0, referers=(6, 92, 2)),
    Route(1.4, "GET", ("/favicon.ico", "/robots.txt", "/sitemap.xml", "/manifest.webmanifest"), FILE, 1_150, 0.0),
    Route(1.3, "GET", ("/login", "/login?next=%2Faccount%2Forders", "/login/forgotten"), PAGE, 6_300, 0.02),
    Route(1.6, "POST", ("/login",), SIGN_IN, 1_900, 0.2, referers=(4, 96, 0)),
    Route(1.7, "GET", ("/account", "/account/orders", "/account/orders/{n}", "/logout"), PAGE, 9_800, 0.3),
    Route(1.8, "GET", ("/cart", "/checkout", "/checkout/payment"), PAGE, 11_500, 0.3, referers=(2, 98, 0)),
    Route(0.5, "GET", ("/admin/orders", "/admin/users/{n}", "/admin/reports/daily"), READ, 15_200, 0.4, queries=0.4),
    Route(0.8, "GET", ("/downloads/catalogue-2026.pdf", "/downloads/manual-{n}.pdf"), FILE, 2_400_000, 0.0),
    Route(1.5, "GET", ("/health", "/health/ready"), ALIVE, 15, 0.0, referers=(1, 0, 0)),
    Route(0.4, "HEAD", ("/", "/health"), ALIVE, 0, 0.0, referers=(1, 0, 0)),
    Route(0.7, "GET", ("/wp-login.php", "/.env", "/.git/config", "/xmlrpc.php", "/phpmyadmin/index.php",
                       "/cgi-bin/luci", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php"), ABSENT, 548, 0.0,
          referers=(1, 0, 0)),
)  # fmt: skip

QUERIES = (
    "page={n}", "page={n}&sort=price", "page={n}&per_page=50", "sort=newest", "id={n}", "ref={n}", "lang=en",
    "limit=100", "utm_source=newsletter&utm_medium=email&utm_campaign={slug}", "lang=de&currency=EUR",
    "from=caf%C3%A9+{slug}", "fields=id,name,updated_at&limit={n}", "filter%5Bcolour%5D=blue&page={n}", "since={n}",
)  # fmt: skip

ADJECTIVES = (
    "amber",
    "brisk",
    "calm",
    "dusty",
    "early",
    "faithful",
    "green",
    "hidden",
    "iron",
    "jolly",
    "kind",
    "little",
)
NOUNS = (
    "anvil",
    "basket",
    "compass",
    "drum",
    "ember",
    "fence",
    "gate",
    "harness",
    "island",
    "jacket",
    "kettle",
    "lantern",
)

USERS = ("alice", "bob", "carol", "dmitri", "erika", "farouk", "grace.hopper", "heidi", "ops-deploy", "jan@example.com")

SITE = "https://www.example.com"
OTHER_SITES = (
    "https://www.google.com/", "https://www.bing.com/", "https://duckduckgo.com/", "https://news.ycombinator.com/",
    "https://github.com/example/awesome-shops", "https://t.co/Zk3vQx81Ld", "android-app://com.google.android.gm/",
    "https://www.reddit.com/r/BuyItForLife/comments/1k2m9xw/which_kettle_do_you_own/", "https://partner.example.net/offers",
)  # fmt: skip

_CHROME = "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
_DESKTOPS = ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64")
_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS {0}_{1} like Mac OS X) {2} Version/{0}.{1} Mobile/15E148 Safari/604.1"
BROWSERS = (
    *(_CHROME.format(system=system, version=version) for version in (138, 139, 140, 137) for system in _DESKTOPS),
    *(_PHONE.format(*version, _WEBKIT) for version in ((18, 5), (18, 6), (17, 6), (16, 7))),
    *(
        f"Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
        for version in (141, 142, 128)
        for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10.15", "X11; Ubuntu; Linux x86_64")
    ),
    *(
        f"Mozilla/5.0 (Linux; Android {android}) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{version}.0.0.0 Mobile Safari/537.36"
        for android, version in (("10; K", 139), ("14; Pixel 8", 138), ("15; SM-S921B", 139), ("13; moto g84 5G", 137))
    ),
    *(f"{_CHROME.format(system=_DESKTOPS[0], version=version)} Edg/{version}.0.0.0" for version in (138, 139)),
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Version/18.5 Safari/605.1.15",
    f"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) {_WEBKIT} Mobile/15E148 [FBAN/FBIOS;FBAV/470]",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
    f"{_CHROME.format(system=_DESKTOPS[0], version=137)} OPR/121.0.0.0",
)
ROBOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; DotBot/1.2; +https://opensiteexplorer.org/dotbot; help@moz.com)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Prometheus/3.4.1", "kube-probe/1.33", "curl/8.7.1", "Wget/1.21.4", "python-requests/2.32.4", "Go-http-client/1.1",
    "okhttp/4.12.0", "axios/1.9.0", "UptimeRobot/2.0", "-",
)  # fmt: skip

MALFORMED = (r"\x16\x03\x01", r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", "-", "", r"\x03\x00\x00/*\xE0\x00\x00",
             "quit", "GET /", r"SSH-2.0-Go", r"MGLNDD_192.0.2.10_443\x5Cn")  # fmt: skip
"""What servers log as the request when none could be read; nginx writes bytes that it cannot show as ``\\xNN``."""

INVALID = (
    "Traceback (most recent call last):",
    '  File "app.py", line 214, in checkout',
    '{"level":"error","msg":"upstream timed out","took_ms":60001}',
    "2026/01/02 03:04:05 [error] 31#31: *8812 connect() failed (111: Connection refused) while connecting to upstream",
    "\x00\x00\x00\x00\x00\x00\x00\x00",
    "\xff\xfe caf\xe9 \x80",  # becomes bytes that are no UTF-8
)
