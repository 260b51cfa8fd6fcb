"""Light and dark look of the host's window, the same on every platform."""

from __future__ import annotations

from PySide6 import QtGui, QtWidgets

ROLES = QtGui.QPalette.ColorRole
# role -> (light, dark)
COLOURS = {
    ROLES.Window: ("#f3f4f6", "#34363b"),
    ROLES.WindowText: ("#1d1f23", "#e4e6ea"),
    ROLES.Base: ("#ffffff", "#222428"),
    ROLES.AlternateBase: ("#f0f2f5", "#2a2c31"),
    ROLES.Text: ("#1d1f23", "#e4e6ea"),
    ROLES.PlaceholderText: ("#7b818c", "#8b919c"),
    ROLES.Button: ("#e8eaee", "#44474e"),
    ROLES.ButtonText: ("#1d1f23", "#e4e6ea"),
    ROLES.BrightText: ("#ffffff", "#ffffff"),
    ROLES.ToolTipBase: ("#fdfdf2", "#45484f"),
    ROLES.ToolTipText: ("#1d1f23", "#e4e6ea"),
    ROLES.Highlight: ("#2f6fd0", "#3f7fdf"),
    ROLES.HighlightedText: ("#ffffff", "#ffffff"),
    ROLES.Link: ("#1f5fbf", "#7fb0ff"),
    ROLES.Light: ("#ffffff", "#4a4d54"),
    ROLES.Midlight: ("#eceef2", "#404349"),
    ROLES.Mid: ("#c3c7ce", "#1f2124"),
    ROLES.Dark: ("#a3a8b1", "#191a1d"),
    ROLES.Shadow: ("#6c7078", "#0f1011"),
}
TEXT_ROLES = (ROLES.WindowText, ROLES.Text, ROLES.ButtonText)
DISABLED_TEXT = ("#9aa0aa", "#74797f")


def paletteOf(dark):
    """Return the light or the dark QPalette."""
    palette = QtGui.QPalette()
    for role, colours in COLOURS.items():
        palette.setColor(role, QtGui.QColor(colours[dark]))
    for role in TEXT_ROLES:
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, role, QtGui.QColor(DISABLED_TEXT[dark]))
    return palette


def usePalette(dark):
    """Give all windows of the application the light or the dark look."""
    QtWidgets.QApplication.setStyle("Fusion")
    QtWidgets.QApplication.setPalette(paletteOf(bool(dark)))
