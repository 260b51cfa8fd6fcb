"""Modal dialogs are answered by the test; one that it did not expect fails it."""

from __future__ import annotations

import pytest
from SlicerHost import dialogs, failures


@pytest.fixture(autouse=True)
def qt(host):
    import qt

    dialogs.clear()
    return qt


@pytest.fixture
def ask(qt):
    """Ask with a message box whether to replace a file; return the number of the answer."""

    def show(buttons=None, text="Replace the file?"):
        box = qt.QMessageBox()
        box.windowTitle = "Export"
        box.text = text
        box.standardButtons = qt.QMessageBox.Yes | qt.QMessageBox.No if buttons is None else buttons
        return box.exec_()

    return show


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_a_message_box_is_answered_by_a_button_text(qt, ask, answer):
    with dialogs.answer("Replace the file", answer):
        assert ask() == getattr(qt.QMessageBox, answer)


def test_a_message_box_is_answered_by_a_standard_button(qt, ask):
    with dialogs.answer("Replace", qt.QMessageBox.No):
        assert ask() == qt.QMessageBox.No


def test_a_button_of_its_own_is_clicked(qt):
    box = qt.QMessageBox()
    keep = box.addButton("&Keep both", qt.QMessageBox.AcceptRole)
    box.addButton(qt.QMessageBox.Cancel)
    with dialogs.answer("QMessageBox", "Keep both"):
        box.exec_()
    assert box.clickedButton() is keep


def test_a_box_without_buttons_has_its_ok(qt):
    box = qt.QMessageBox()
    box.text = "Done"
    with dialogs.answer("Done", "OK"):
        assert box.exec_() == qt.QMessageBox.Ok


def test_cancel_is_what_escape_does(qt, ask):
    with dialogs.answer("Replace", dialogs.CANCEL):
        assert ask(qt.QMessageBox.Yes | qt.QMessageBox.Cancel) == qt.QMessageBox.Cancel


def test_a_wrong_button_is_a_failure(ask):
    with (
        failures.expected(failures.UNEXPECTED_DIALOG, "'Maybe' is no enabled button"),
        dialogs.answer("", "Maybe"),
    ):
        ask()


def test_the_answer_tells_what_was_shown(ask):
    with dialogs.answer("Replace", "Yes") as answer:
        ask()
    assert (answer.shown.title, answer.shown.text) == ("Export", "Replace the file?")
    assert sorted(answer.shown.choices) == ["No", "Yes"]


def test_an_unexpected_dialog_is_a_failure_and_is_refused(qt, ask):
    with failures.expected(failures.UNEXPECTED_DIALOG, "Replace the file"):
        assert ask() == qt.QMessageBox.No


def test_an_answer_is_for_one_dialog_only(ask):
    with failures.expected(failures.UNEXPECTED_DIALOG), dialogs.answer("Replace", "Yes"):
        ask()
        ask()


def test_an_expected_dialog_must_come():
    with pytest.raises(AssertionError, match="no dialog came"), dialogs.answer("Replace", "Yes"):
        pass


def test_a_static_question_is_answered(qt):
    with dialogs.answer("Sure", "Yes"):
        assert qt.QMessageBox.question(None, "Sure?", "Really?") == qt.QMessageBox.Yes


def test_a_static_warning_has_ok(qt):
    with dialogs.answer("Careful", "OK"):
        assert qt.QMessageBox.warning(None, "Careful", "Hot") == qt.QMessageBox.Ok


@pytest.mark.parametrize("name", ["getOpenFileName", "getSaveFileName", "getExistingDirectory"])
def test_a_static_file_dialog_gives_the_path_alone(qt, name, tmp_path):
    with dialogs.answer(name, tmp_path):
        assert getattr(qt.QFileDialog, name)(None, "Choose", "") == str(tmp_path)


def test_several_files_come_as_a_tuple(qt):
    with dialogs.answer("getOpenFileNames", ["a", "b"]):
        assert qt.QFileDialog.getOpenFileNames(None, "Choose", "") == ("a", "b")


def test_a_cancelled_file_dialog_gives_no_path(qt):
    with dialogs.answer("getOpenFileName", dialogs.CANCEL):
        assert qt.QFileDialog.getOpenFileName(None, "Choose", "") == ""


def test_a_file_dialog_object_gets_its_file(qt, tmp_path):
    path = tmp_path / "mask.nrrd"
    path.write_text("")
    dialog = qt.QFileDialog()
    dialog.setFileMode(qt.QFileDialog.ExistingFile)
    with dialogs.answer("QFileDialog", path):
        assert dialog.exec_() == qt.QDialog.Accepted
    assert list(dialog.selectedFiles()) == [str(path)]


def test_a_text_is_typed(qt):
    with dialogs.answer("Name of the segment", "tumour"):
        assert qt.QInputDialog.getText(None, "New", "Name of the segment") == "tumour"


def test_a_dialog_of_its_own_is_acted_on_by_a_callable(qt):
    dialog = qt.QDialog()
    button = qt.QPushButton("Go", dialog)
    button.connect("clicked()", dialog.accept)
    with dialogs.answer("QDialog.*Go", lambda shown: button.click()):
        assert dialog.exec_() == qt.QDialog.Accepted
    assert not dialog.visible


def test_a_dialog_that_the_answer_leaves_open_is_a_failure(qt):
    with (
        failures.expected(failures.UNEXPECTED_DIALOG, "did not close"),
        dialogs.answer("QDialog", lambda shown: None),
    ):
        qt.QDialog().exec_()


def test_a_menu_entry_is_triggered(qt):
    chosen = []
    menu = qt.QMenu()
    menu.addAction("&Remove").connect("triggered()", lambda: chosen.append("removed"))
    with dialogs.answer("Remove", "Remove"):
        assert menu.exec_(qt.QPoint(0, 0)).text == "&Remove"
    assert chosen == ["removed"]


def test_a_disabled_menu_entry_cannot_be_chosen(qt):
    menu = qt.QMenu()
    menu.addAction("Remove").enabled = False
    with (
        failures.expected(failures.UNEXPECTED_DIALOG, "no enabled entry"),
        dialogs.answer("Remove", "Remove"),
    ):
        assert menu.exec_(qt.QPoint(0, 0)) is None


def test_a_colour_is_chosen(qt):
    with dialogs.answer("getColor", "#ff0000"):
        assert qt.QColorDialog.getColor().name() == "#ff0000"


def test_the_history_holds_all_dialogs(ask):
    with dialogs.answer("Replace", "Yes"):
        ask()
    assert [shown.title for shown in dialogs.history()] == ["Export"]


@pytest.fixture
def person():
    """Dialogs are shown, as in a window with a person in front of it."""
    dialogs.setInteractive(True)
    yield
    dialogs.setInteractive(False)


def test_a_person_closes_a_real_dialog(qt, person):
    dialog = qt.QDialog()
    qt.QTimer.singleShot(0, dialog.accept)
    assert dialog.exec_() == qt.QDialog.Accepted
    assert dialogs.history() == ()


def test_a_person_chooses_from_a_real_menu(qt, person):
    menu = qt.QMenu()
    action = menu.addAction("Remove")

    def choose():
        menu.setActiveAction(action)
        qt.QTest.keyClick(menu, qt.Qt.Key_Return)

    qt.QTimer.singleShot(0, choose)
    assert menu.exec_(qt.QPoint(0, 0)) is action
