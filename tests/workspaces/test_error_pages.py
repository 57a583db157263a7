"""What a person sees of an error: a page of ours, without a database and without secrets."""

import pytest
from django.template.loader import render_to_string
from django.test import Client

from tests.cast import Person

PAGES = ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"]


@pytest.mark.parametrize("page", PAGES)
def test_an_error_page_needs_nothing(page: str) -> None:
    text = render_to_string(page)
    assert "Go to the back office" in text
    assert "<script" not in text


def test_what_is_not_there_is_told_in_our_words(staff: Client, owner: Person) -> None:
    response = staff.get("/admin/batches/callbatch/zzz/start/")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()
    assert "'unsafe-inline'" not in response["Content-Security-Policy"].partition("style-src")[0]


def test_a_form_without_its_token_is_told_to_load_the_page_again(owner: Person) -> None:
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "x"})
    assert response.status_code == 403
    assert "The page was too old" in response.content.decode()
