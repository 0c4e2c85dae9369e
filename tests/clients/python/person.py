"""A person with a browser that has cookies and forms and nothing else."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests


class Forms(HTMLParser):
    """The forms of a page: where each posts to, and its fields; and where the page goes on to by itself."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.onward = None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "meta" and attrs.get("http-equiv") == "refresh":
            self.onward = attrs["content"].removeprefix("0;url=")
        elif tag == "form":
            self.found.append((attrs.get("action", ""), {}))
        elif tag == "input" and self.found and attrs.get("name"):
            self.found[-1][1][attrs["name"]] = attrs.get("value") or ""


def walk(start, issuer, username, password):
    """From an authorization request through login and consent to the redirect back to the app."""
    with requests.Session() as browser:
        answer = browser.get(start, allow_redirects=False)
        for _ in range(20):
            forms = Forms()
            forms.feed(answer.text)
            location = answer.headers.get("location") or forms.onward
            if location:
                location = urljoin(answer.url, location)
                if "{0.scheme}://{0.netloc}".format(urlsplit(location)) != issuer:
                    return location
                answer = browser.get(location, allow_redirects=False)
                continue
            actions = {urlsplit(urljoin(answer.url, action)).path: fields for action, fields in forms.found}
            if "/login" in actions:
                path, fields = "/login", {**actions["/login"], "username": username, "password": password}
            elif "/consent" in actions:
                path, fields = "/consent", {**actions["/consent"], "decision": "approve"}
            else:
                raise AssertionError(f"{answer.status_code} {answer.url}: no form\n{answer.text}")
            # A page with `Referrer-Policy: no-referrer` posts its forms so.
            headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
            answer = browser.post(issuer + path, data=fields, headers=headers, allow_redirects=False)
    raise AssertionError("no way through login and consent in twenty steps")
