"""Small painted icons of the Data tree and the segments' table."""

from __future__ import annotations

from PySide6 import QtCore, QtGui
from PySide6.QtCore import Qt

SIZE = 16


def _icon(paint):
    picture = QtGui.QPixmap(SIZE, SIZE)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(picture)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    paint(painter)
    painter.end()
    return QtGui.QIcon(picture)


def letterIcon(letter, colour):
    def paint(painter):
        painter.setBrush(QtGui.QColor(colour))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRoundedRect(1, 1, 14, 14, 3, 3)
        painter.setPen(Qt.GlobalColor.white)
        font = painter.font()
        font.setPixelSize(11)
        font.setBold(True)
        painter.setFont(font)
        painter.drawText(QtCore.QRect(0, 0, SIZE, SIZE), Qt.AlignmentFlag.AlignCenter, letter)

    return _icon(paint)


def eyeIcon(visible):
    """Return an open or a crossed-out eye."""

    def paint(painter):
        painter.setPen(QtGui.QPen(QtGui.QColor("#808080"), 1.4))
        painter.drawEllipse(QtCore.QRectF(1, 4, 14, 8))
        if visible:
            painter.setBrush(QtGui.QColor("#808080"))
            painter.drawEllipse(QtCore.QRectF(5.5, 5.5, 5, 5))
        else:
            painter.drawLine(3, 14, 13, 2)

    return _icon(paint)


def squareIcon(colour):
    def paint(painter):
        painter.setBrush(colour)
        painter.setPen(QtGui.QColor("#606060"))
        painter.drawRect(2, 2, 11, 11)

    return _icon(paint)
