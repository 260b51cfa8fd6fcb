"""slicer.i18n: `tr` (imported as `_`) and `translate`, through Qt's translators.

As in Slicer, the context of a text is the file's name, with the package's name before it if there is one.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from functools import cache

import slicer

PLACEHOLDER = re.compile(r"(?<!\{)\{([^{}]+)\}(?!\})")


def translate(context, text):
    """Return the text in the language of the application; itself where no translator knows it."""
    return slicer.app.translate(context, text)


def tr(text):
    """Return the text translated in the context of the calling file.

    A translation that lost or renamed a {placeholder} is refused with a warning: format() would fail on it.
    """
    context = getContext(sys._getframe(1).f_code.co_filename)
    translated = translate(context, text)
    if set(PLACEHOLDER.findall(text)) != set(PLACEHOLDER.findall(translated)):
        logging.warning("Translation of %r in %s has other placeholders: %r", text, context, translated)
        return text
    return translated


@cache
def getContext(sourceFile):
    """Return `File` or `Package.File` for the path of a Python file."""
    folder, name = os.path.split(sourceFile)
    stem = name.removesuffix(".py")
    if os.path.isfile(os.path.join(folder, "__init__.py")):
        return f"{os.path.basename(folder)}.{stem}"
    return stem
