import pytest

from tests.docs import extension

offline = extension("offline")
HOST = "https://example.org"


@pytest.mark.parametrize(
    "html",
    [
        f'<script src="{HOST}/mathjax.js"></script>',
        '<script src="//example.org/mathjax.js"></script>',
        f'<img alt="a badge" src="{HOST}/badge.svg">',
        f'<link rel="stylesheet" href="{HOST}/font.css">',
        f'<link rel="preconnect" href="{HOST}">',
        f'<p style="background: url({HOST}/paper.png)">',
        f'<style>@import "{HOST}/font.css";</style>',
        f"<iframe srcdoc='<script src=\"{HOST}/a.js\"></script>'></iframe>",
    ],
)
def test_what_a_page_loads_from_another_host_is_found(html):
    (address,) = offline.Resources(html).remote
    assert "example.org" in address


@pytest.mark.parametrize(
    "html",
    [
        f'<a href="{HOST}">optax</a>',
        f'<link rel="canonical" href="{HOST}/page.html">',
        '<script src="_static/doctools.js"></script>',
        '<img src="data:image/png;base64,AA//AA">',
        f"<script>const svg = '{HOST}/svg'</script>",
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    ],
)
def test_what_is_only_named_or_lies_beside_the_page_is_not(html):
    assert not offline.Resources(html).remote
