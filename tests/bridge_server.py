"""A Micro-Manager window without the window: pyjavaz's server, as its client uses it, before the real MMCore.

Run as a program, `python bridge_server.py PORT`, it serves until its input ends or says `quit`. Other lines are what a
person does in the window: `live on`, `live off`, `roi X Y WIDTH HEIGHT`, `exposure MS`, `property DEVICE KEY VALUE`,
`hang SECONDS` (a dialog). Each is answered by a line; while the live view runs, its images are counted by `shown`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from typing import Any

import numpy as np
import zmq

VERSION = "5.1.0"
TEXT, BOOL, INT, REAL, VOID = "java.lang.String", "boolean", "int", "double", "void"
STRINGS, DOUBLES, RECTANGLE, POINT = (
    "mmcorej.StrVector", "mmcorej.DoubleVector", "java.awt.Rectangle", "java.awt.geom.Point2D$Double",
)  # fmt: skip
CONFIGURATION, SETTING, ENUM, IMAGE = (
    "mmcorej.Configuration", "mmcorej.PropertySetting", "mmcorej.DeviceType", "java.lang.Object",
)  # fmt: skip

CORE: dict[str, list[tuple[str, list[str]]]] = {
    "getVersionInfo": [(TEXT, [])],
    "getAPIVersionInfo": [(TEXT, [])],
    "getLoadedDevices": [(STRINGS, [])],
    "getDeviceType": [(ENUM, [TEXT])],
    "getDeviceName": [(TEXT, [TEXT])],
    "getDeviceLibrary": [(TEXT, [TEXT])],
    "getParentLabel": [(TEXT, [TEXT])],
    "getDeviceDelayMs": [(REAL, [TEXT])],
    "getDevicePropertyNames": [(STRINGS, [TEXT])],
    "getProperty": [(TEXT, [TEXT, TEXT])],
    "getPropertyFromCache": [(TEXT, [TEXT, TEXT])],
    "setProperty": [
        (VOID, [TEXT, TEXT, TEXT]),
        (VOID, [TEXT, TEXT, BOOL]),
        (VOID, [TEXT, TEXT, INT]),
        (VOID, [TEXT, TEXT, REAL]),
    ],
    "hasProperty": [(BOOL, [TEXT, TEXT])],
    "getPropertyType": [(ENUM, [TEXT, TEXT])],
    "isPropertyReadOnly": [(BOOL, [TEXT, TEXT])],
    "isPropertyPreInit": [(BOOL, [TEXT, TEXT])],
    "hasPropertyLimits": [(BOOL, [TEXT, TEXT])],
    "getPropertyLowerLimit": [(REAL, [TEXT, TEXT])],
    "getPropertyUpperLimit": [(REAL, [TEXT, TEXT])],
    "getAllowedPropertyValues": [(STRINGS, [TEXT, TEXT])],
    "getCameraDevice": [(TEXT, [])],
    "getShutterDevice": [(TEXT, [])],
    "getFocusDevice": [(TEXT, [])],
    "getXYStageDevice": [(TEXT, [])],
    "getGalvoDevice": [(TEXT, [])],
    "getAutoFocusDevice": [(TEXT, [])],
    "getAutoShutter": [(BOOL, [])],
    "setAutoShutter": [(VOID, [BOOL])],
    "getShutterOpen": [(BOOL, []), (BOOL, [TEXT])],
    "setShutterOpen": [(VOID, [BOOL]), (VOID, [TEXT, BOOL])],
    "deviceBusy": [(BOOL, [TEXT])],
    "waitForDevice": [(VOID, [TEXT])],
    "stop": [(VOID, [TEXT])],
    "getExposure": [(REAL, []), (REAL, [TEXT])],
    "setExposure": [(VOID, [REAL]), (VOID, [TEXT, REAL])],
    "getROI": [(RECTANGLE, []), (RECTANGLE, [TEXT])],
    "setROI": [(VOID, [INT, INT, INT, INT]), (VOID, [TEXT, INT, INT, INT, INT])],
    "clearROI": [(VOID, [])],
    "getImageWidth": [("long", [])],
    "getImageHeight": [("long", [])],
    "getBytesPerPixel": [("long", [])],
    "getNumberOfComponents": [("long", [])],
    "getNumberOfCameraChannels": [("long", [])],
    "getCameraChannelName": [(TEXT, ["long"])],
    "getPixelSizeUm": [(REAL, []), (REAL, [BOOL])],
    "getPixelSizeAffine": [(DOUBLES, [])],
    "getMagnificationFactor": [(REAL, [])],
    "getAvailablePixelSizeConfigs": [(STRINGS, [])],
    "getPixelSizeConfigData": [(CONFIGURATION, [TEXT])],
    "getAvailableConfigGroups": [(STRINGS, [])],
    "getAvailableConfigs": [(STRINGS, [TEXT])],
    "getConfigData": [(CONFIGURATION, [TEXT, TEXT])],
    "getCurrentConfig": [(TEXT, [TEXT])],
    "startContinuousSequenceAcquisition": [(VOID, [REAL])],
    "stopSequenceAcquisition": [(VOID, []), (VOID, [TEXT])],
    "isSequenceRunning": [(BOOL, []), (BOOL, [TEXT])],
    "getRemainingImageCount": [(INT, [])],
    "popNextImage": [(IMAGE, [])],
    "getLastImage": [(IMAGE, [])],
    "clearCircularBuffer": [(VOID, [])],
    "getPosition": [(REAL, []), (REAL, [TEXT])],
    "setPosition": [(VOID, [REAL]), (VOID, [TEXT, REAL])],
    "getXPosition": [(REAL, []), (REAL, [TEXT])],
    "getYPosition": [(REAL, []), (REAL, [TEXT])],
    "getXYStagePosition": [(POINT, []), (POINT, [TEXT])],
    "setXYPosition": [(VOID, [REAL, REAL]), (VOID, [TEXT, REAL, REAL])],
}
"""Methods of the core: return type and argument types of each overload, as the Java core describes itself."""

OTHERS: dict[str, dict[str, list[tuple[str, list[str]]]]] = {
    STRINGS: {"size": [("long", [])], "get": [(TEXT, [INT])]},
    DOUBLES: {"size": [("long", [])], "get": [(REAL, [INT])]},
    RECTANGLE: {},
    POINT: {},
    CONFIGURATION: {"size": [("long", [])], "getSetting": [(SETTING, ["long"])]},
    SETTING: {"getDeviceLabel": [(TEXT, [])], "getPropertyName": [(TEXT, [])], "getPropertyValue": [(TEXT, [])]},
    ENUM: {"swigValue": [(INT, [])]},
}


class Window:
    """The process: the core, the objects that clients hold, and the servers, one a port."""

    def __init__(self, port: int) -> None:
        import mm_test_adapters
        import pymmcore

        folder = mm_test_adapters.device_adapter_path()
        self.core = pymmcore.CMMCore()
        self.core.setDeviceAdapterSearchPaths([str(folder)])
        self.core.loadSystemConfiguration(f"{folder}/MMConfig_demo.cfg")
        self.metadata = pymmcore.Metadata
        self.hung_until = 0.0
        self.shown = 0
        self._live = threading.Event()
        self._next_port = port + 1
        self._lock = threading.Lock()
        self.serve(port, {})

    def serve(self, port: int | None, objects: dict[str, tuple[str, Any]]) -> int:
        """Serve on `port`, or on the next free one, until the last object there is released; return the port."""
        socket = zmq.Context.instance().socket(zmq.REP)
        socket.linger = 0
        main = port is not None
        while True:
            if port is None:
                with self._lock:
                    port, self._next_port = self._next_port, self._next_port + 1
            try:
                socket.bind(f"tcp://127.0.0.1:{port}")
                break
            except zmq.ZMQError:
                if main:
                    raise
                port = None
        threading.Thread(target=self._run, args=(socket, objects, main), daemon=True).start()
        return port

    def _run(self, socket: zmq.Socket[bytes], objects: dict[str, tuple[str, Any]], main: bool) -> None:
        while main or objects:
            request = json.loads(socket.recv_multipart()[0].decode("iso-8859-1"))
            time.sleep(max(0.0, self.hung_until - time.monotonic()))
            try:
                reply = self._execute(request, objects)
            except Exception as error:  # noqa: BLE001 - as the server in Java does
                text = " ".join(str(error).split())
                reply = {
                    "type": "exception",
                    "value": f"java.lang.Exception: {text}\n\tat mmcorej.CMMCore(CMMCore.java)\n",
                }
            pixels = reply.get("value")
            parts = []
            if isinstance(pixels, np.ndarray):
                number = id(pixels) & 0x7FFFFFFF
                reply["value"] = f"@{number:x}"
                parts = [number.to_bytes(4, sys.byteorder), pixels.tobytes()]
            socket.send_multipart([json.dumps(reply).encode("iso-8859-1"), *parts])
        socket.close()

    def _execute(self, request: dict[str, Any], objects: dict[str, tuple[str, Any]]) -> dict[str, Any]:
        command = request["command"]
        if command == "connect":
            return {"type": "none", "version": VERSION}
        if command == "get-constructors":
            return {"type": "none", "api": [{"name": request["classpath"], "arguments": []}]}
        if command == "constructor":
            held = {} if request.get("new-port") else objects
            reply = describe("mmcorej.CMMCore", self.core, held)
            if held is not objects:
                reply["port"] = self.serve(None, held)
            return reply
        if command == "destructor":
            objects.pop(request["hash-code"], None)
            return {"type": "none"}
        if request["hash-code"] not in objects:
            return {
                "type": "exception",
                "value": 'java.lang.NullPointerException: Cannot invoke "Object.getClass()"\n\tat\n',
            }
        kind, held_object = objects[request["hash-code"]]
        if command == "get-field":
            return serialize(*field(kind, held_object, request["name"]), objects)
        return self._call(kind, held_object, request, objects)

    def _call(
        self, kind: str, held: Any, request: dict[str, Any], objects: dict[str, tuple[str, Any]]
    ) -> dict[str, Any]:
        methods = CORE if kind == "mmcorej.CMMCore" else OTHERS[kind]
        name, types, args = request["name"], request["argument-types"], request["arguments"]
        result_type = next(result for result, arguments in methods[name] if arguments == types)
        if kind != "mmcorej.CMMCore":
            return serialize(result_type, method(kind, held, name, args), objects)
        if name == "getXYStagePosition":
            return serialize(result_type, (held.getXPosition(*args), held.getYPosition(*args)), objects)
        return serialize(result_type, getattr(held, name)(*args), objects)

    # what a person does in the window

    def live(self, on: bool) -> None:
        """Start or end the live view, which shows the newest image 30 times a second."""
        if on:
            self.core.startContinuousSequenceAcquisition(0)
            self._live.set()
            threading.Thread(target=self._show, daemon=True).start()
        else:
            self._live.clear()
            self.core.stopSequenceAcquisition()

    def _show(self) -> None:
        while self._live.is_set():
            if self.core.getRemainingImageCount():
                self.core.getLastImageMD(self.metadata())
                self.shown += 1
            time.sleep(1 / 30)

    def do(self, line: str) -> str:
        """Carry out a line; return the answer."""
        match line.split():
            case ["live", "on" | "off" as state]:
                self.live(state == "on")
            case ["roi", *numbers]:
                running = self.core.isSequenceRunning()
                if running:
                    self.live(False)
                self.core.setROI(*map(int, numbers))
                if running:
                    self.live(True)
            case ["exposure", ms]:
                self.core.setExposure(float(ms))
            case ["property", device, key, *value]:
                self.core.setProperty(device, key, " ".join(value))
            case ["get", device, key]:
                return str(self.core.getProperty(device, key))
            case ["move", x, y]:
                self.core.setXYPosition(float(x), float(y))
            case ["running"]:
                return str(self.core.isSequenceRunning())
            case ["hang", seconds]:
                self.hung_until = time.monotonic() + float(seconds)
            case ["shown"]:
                return str(self.shown)
            case _:
                return f"unknown: {line}"
        return "OK"


def describe(kind: str, held: Any, objects: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Return how the server names an object that it keeps."""
    handle = f"{id(held):x}{uuid.uuid4()}"
    objects[handle] = kind, held
    methods = CORE if kind == "mmcorej.CMMCore" else OTHERS[kind]
    api = [
        {"name": name, "return-type": result, "arguments": arguments}
        for name, overloads in methods.items()
        for result, arguments in overloads
    ]
    fields = {RECTANGLE: ["x", "y", "width", "height"], POINT: ["x", "y"]}.get(kind, [])
    return {
        "type": "unserialized-object", "class": kind, "hash-code": handle, "port": 0, "fields": fields,
        "interfaces": [kind, "java.lang.Object"], "api": api,
    }  # fmt: skip


def serialize(kind: str, value: Any, objects: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Return a result as the server sends it."""
    if kind == VOID or value is None:
        return {"type": "none"}
    if isinstance(value, np.ndarray):
        arrays = {1: "byte-array", 2: "short-array", 4: "int-array"}
        flat = value.view(np.uint8) if value.dtype == np.uint32 else value  # colour, four bytes a pixel
        return {"type": arrays[flat.dtype.itemsize], "value": np.ascontiguousarray(flat).ravel()}
    if kind == TEXT:
        return {"type": "string", "value": str(value)}
    if kind in (BOOL, INT, REAL, "long"):
        whole = kind == REAL and float(value).is_integer()
        return {"type": "primitive", "value": int(value) if whole else value}  # org.json drops the ".0"
    return describe(kind, value, objects)


def field(kind: str, held: Any, name: str) -> tuple[str, Any]:
    """Return type and value of a public field."""
    names = ["x", "y", "width", "height"]
    return (INT if kind == RECTANGLE else REAL), held[names.index(name)]


def method(kind: str, held: Any, name: str, args: list[Any]) -> Any:
    """Call a method of an object that is not the core."""
    if kind in (STRINGS, DOUBLES):
        return len(held) if name == "size" else held[args[0]]
    if kind == ENUM:
        return int(held)
    return getattr(held, name)(*args)


def main() -> None:
    """Serve until the input ends."""
    window = Window(int(sys.argv[1]))
    print("READY", flush=True)
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        try:
            answer = window.do(line.strip())
        except RuntimeError as error:
            answer = f"ERROR {' '.join(str(error).split())}"
        print(answer, flush=True)


if __name__ == "__main__":
    main()
