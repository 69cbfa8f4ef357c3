"""The banner across the window: the most important message of the moment."""

from __future__ import annotations

from livetrack.viewer.data.status_text import Banner
from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["BannerBar"]


class BannerBar(QtWidgets.QFrame):
    """Shows a banner; one with a kind can be dismissed, and no other of its kind is shown until `reset`."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self._text = QtWidgets.QLabel()
        self._text.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setWordWrap(True)
        self.dismiss_button = QtWidgets.QToolButton()
        self.dismiss_button.setText("✕")
        self.dismiss_button.setToolTip("Dismiss")
        self.dismiss_button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.dismiss_button.clicked.connect(self._dismiss)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 8, 8)
        layout.addWidget(self._text, 1)
        layout.addWidget(self.dismiss_button)
        self._shown: Banner | None = None
        self._dismissed: set[str] = set()
        self.hide()

    def text(self) -> str:
        """Return the text on display; empty without a banner."""
        return self._shown.text if self._shown else ""

    def show_banner(self, banner: Banner | None) -> None:
        """Show a banner; None hides it."""
        if banner and banner.kind in self._dismissed:
            banner = None
        if banner == self._shown:
            return
        alarm_before = self._shown.alarm if self._shown else None
        self._shown = banner
        self.setVisible(banner is not None)
        if banner:
            self._text.setText(banner.text)
            self.dismiss_button.setVisible(bool(banner.kind))
            if banner.alarm != alarm_before:
                self.setProperty("alarm", banner.alarm)
                self.style().polish(self)

    def reset(self) -> None:
        """Show dismissed banners again, because a new session has begun."""
        self._dismissed.clear()

    def _dismiss(self) -> None:
        if self._shown:
            self._dismissed.add(self._shown.kind)
        self.show_banner(None)
