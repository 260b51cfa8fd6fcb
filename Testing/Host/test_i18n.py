"""slicer.i18n: texts in the language of the application."""

from __future__ import annotations

import pytest
import qt
import slicer
from slicer.i18n import getContext, translate
from slicer.i18n import tr as _

FRENCH = {"Undo": "Annuler", "Delete {count} clicks": "Supprimer {compte} clics"}


class French(qt.QTranslator):
    """Knows FRENCH in the context of this file."""

    def translate(self, context, text, _disambiguation, _number=-1):
        return FRENCH.get(text, text) if context == "test_i18n" else text


@pytest.fixture
def french(host):
    translator = French()
    slicer.app.installTranslator(translator)
    yield translator
    slicer.app.removeTranslator(translator)


def test_without_a_translator_a_text_stays(host):
    assert _("Undo") == "Undo"


def test_a_text_is_translated_in_the_context_of_its_file(french):
    assert _("Undo") == "Annuler"


def test_another_context_has_other_translations(french):
    assert translate("Another", "Undo") == "Undo"


def test_a_translation_with_another_placeholder_is_refused(french):
    assert _("Delete {count} clicks") == "Delete {count} clicks"


def test_a_file_of_a_package_has_the_packages_name_before_it(tmp_path):
    (tmp_path / "Library").mkdir()
    (tmp_path / "Library" / "__init__.py").touch()
    assert getContext(str(tmp_path / "Library" / "Panel.py")) == "Library.Panel"
