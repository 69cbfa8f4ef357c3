"""The banner across the window: one line that a person should know now."""

from __future__ import annotations

from livetrack.viewer.data.status_text import Banner
from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["BannerBar"]


class BannerBar(QtWidgets.QFrame):
    """Shows a banner; what is only advice can be sent away, and stays away until it is another."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self._text = QtWidgets.QLabel()
        self._text.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setWordWrap(True)
        self.dismiss = QtWidgets.QToolButton()
        self.dismiss.setText("✕")
        self.dismiss.setToolTip("Do not tell this again")
        self.dismiss.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.dismiss.clicked.connect(self._send_away)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 8, 8)
        layout.addWidget(self._text, 1)
        layout.addWidget(self.dismiss)
        self._shown: Banner | None = None
        self._away: set[str] = set()
        self.hide()

    def text(self) -> str:
        """Return what is told; empty while nothing is."""
        return self._shown.text if self._shown else ""

    def tell(self, banner: Banner | None) -> None:
        """Show a banner; None: all is well."""
        if banner and banner.kind in self._away:
            banner = None
        if banner == self._shown:
            return
        alarm_before = self._shown.alarm if self._shown else None
        self._shown = banner
        self.setVisible(banner is not None)
        if banner:
            self._text.setText(banner.text)
            self.dismiss.setVisible(bool(banner.kind))
            if banner.alarm != alarm_before:
                self.setProperty("alarm", banner.alarm)
                self.style().polish(self)

    def forget(self) -> None:
        """Tell again what was sent away: it is another engine."""
        self._away.clear()

    def _send_away(self) -> None:
        if self._shown:
            self._away.add(self._shown.kind)
        self.tell(None)
