"""What the server says in English has its words on the pages."""

from panel.core.operations import registered
from tests.browser.site import ROOT
from vms.states import POWER_WORDS, Lifecycle

SENTENCES = (ROOT / "static/js/lib/sentences.js").read_text()


def test_every_step_has_its_words() -> None:
    titles = {step.title for name, one in registered().items() if not name.startswith("test.") for step in one.steps}
    assert "Set up the server" in titles
    assert [title for title in sorted(titles) if f'"{title}": () =>' not in SENTENCES] == []


def test_every_state_that_refuses_has_its_sentence() -> None:
    words = {*POWER_WORDS.values(), *(one.label.lower() for one in Lifecycle)} - {"unknown"}
    assert [word for word in sorted(words) if f"{word}: () =>" not in SENTENCES] == []
