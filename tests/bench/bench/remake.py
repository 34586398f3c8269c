"""Makes an object anew from its own inspection, with something changed: `python3 -m bench.remake container NAME JSON`,
or network, or volume.

Name, labels and everything else stay, so only what was changed can tell the two apart. Containers on a network are
put back on it, and containers with a volume are made anew with the new one. The JSON has up to four keys:

  set    what is laid over the body of the engine's create call, map by map. `Env` is a map here, and `Networks`
         and `Name` stand beside `HostConfig`.
  drop   paths, as lists, of what is taken out of it.
  mount  path inside -> what is laid over the mount there, in whichever list the container has it: `{"read_only":
         false}`, `{"source": "…"}`, or `{}` to take it away.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import urllib.parse
from typing import Any

SOCKET = "/var/run/docker.sock"


def main() -> None:
    what, name, changes = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    remake(Direct(), what, name, changes)


def remake(engine: Direct, what: str, name: str, changes: dict[str, Any]) -> None:
    """Makes the object `name` of the class `what` anew."""
    {"container": container, "network": network, "volume": volume}[what](engine, name, changes)


def container(engine: Direct, name: str, changes: dict[str, Any]) -> None:
    seen = engine.call("GET", f"/containers/{name}/json")
    body = body_of(seen)
    change(body, changes)
    if not changes.get("beside"):
        engine.call("DELETE", f"/containers/{seen['Id']}?force=1")
    create(engine, body, seen["State"]["Running"])


def network(engine: Direct, name: str, changes: dict[str, Any]) -> None:
    seen = engine.call("GET", f"/networks/{name}")
    # Of containers that do not run the network knows nothing.
    filters = urllib.parse.quote(json.dumps({"network": [seen["Id"]]}))
    ids = [one["Id"] for one in engine.call("GET", f"/containers/json?all=1&filters={filters}")]
    members = {one: engine.call("GET", f"/containers/{one}/json") for one in ids}
    body = {key: seen[key] for key in ("Name", "Driver", "Internal", "Attachable", "EnableIPv6", "Options", "Labels")}
    change(body, changes)
    if not changes.get("beside"):
        for member in members:
            engine.call("POST", f"/networks/{seen['Id']}/disconnect", {"Container": member, "Force": True})
        engine.call("DELETE", f"/networks/{seen['Id']}")
    made = engine.call("POST", "/networks/create", body)["Id"]
    if not changes.get("beside"):
        for member, inspected in members.items():
            place = body_of(inspected)["Networks"][name]
            engine.call("POST", f"/networks/{made}/connect", {"Container": member, "EndpointConfig": place})


def volume(engine: Direct, name: str, changes: dict[str, Any]) -> None:
    seen = engine.call("GET", f"/volumes/{name}")
    filters = urllib.parse.quote(json.dumps({"volume": [name]}))
    users = [one["Id"] for one in engine.call("GET", f"/containers/json?all=1&filters={filters}")]
    inspected = [engine.call("GET", f"/containers/{user}/json") for user in users]
    body = {key: seen[key] for key in ("Name", "Driver", "Labels")} | {"DriverOpts": seen["Options"]}
    change(body, changes)
    for user in users:
        engine.call("DELETE", f"/containers/{user}?force=1")
    engine.call("DELETE", f"/volumes/{name}")
    engine.call("POST", "/volumes/create", body)
    for one in inspected:
        create(engine, body_of(one), one["State"]["Running"])


def change(body: dict[str, Any], changes: dict[str, Any]) -> None:
    for path in changes.get("drop", []):
        *way, last = path
        place = body
        for step in way:
            place = place[step]
        del place[last]
    lay_over(body, changes.get("set", {}))
    for target, over in changes.get("mount", {}).items():
        change_mount(body["HostConfig"], target, over)


def body_of(seen: dict[str, Any]) -> dict[str, Any]:
    """Returns what asks for the same container once more."""
    config = dict(seen["Config"])
    # Without a host name of its own a container is called by its id.
    if config["Hostname"] == seen["Id"][:12]:
        del config["Hostname"]
    config["Env"] = dict(entry.split("=", 1) for entry in config["Env"] or [])
    networks = {}
    for name, endpoint in seen["NetworkSettings"]["Networks"].items():
        aliases = [one for one in endpoint["Aliases"] or [] if one != seen["Id"][:12]]
        networks[name] = {"Aliases": aliases, "IPAMConfig": endpoint["IPAMConfig"], "Links": endpoint["Links"],
                          "DriverOpts": endpoint["DriverOpts"]}
    return {**config, "Name": seen["Name"].lstrip("/"), "HostConfig": dict(seen["HostConfig"]), "Networks": networks}


def lay_over(under: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(under.get(key), dict):
            lay_over(under[key], value)
        else:
            under[key] = value


def change_mount(host: dict[str, Any], target: str, change: dict[str, Any]) -> None:
    for mount in host.get("Mounts") or []:
        if mount["Target"] == target:
            if not change:
                host["Mounts"].remove(mount)
            mount["Source"] = change.get("source", mount["Source"])
            mount["ReadOnly"] = change.get("read_only", mount.get("ReadOnly", False))
            return
    for bind in host.get("Binds") or []:
        source, inside, *mode = bind.split(":")
        if inside == target:
            host["Binds"].remove(bind)
            read_only = change.get("read_only", mode[:1] == ["ro"])
            if change:
                host["Binds"].append(f"{change.get('source', source)}:{inside}:{'ro' if read_only else 'rw'}")
            return
    raise RuntimeError(f"nothing is mounted at {target}")


def create(engine: Direct, body: dict[str, Any], start: bool) -> None:
    name, networks = body.pop("Name"), body.pop("Networks")
    body["Env"] = [f"{key}={value}" for key, value in body["Env"].items()]
    mode = body["HostConfig"]["NetworkMode"]
    # An engine of 20.10 takes one network when it creates, and the others after.
    first = next(iter(key for key in networks if key == mode), None)
    if first:
        body["NetworkingConfig"] = {"EndpointsConfig": {first: networks.pop(first)}}
    if mode == "host" or mode.startswith(("container:", "none")):
        networks = {}
        # Both belong to the network name space of somebody else then.
        body.pop("Hostname", None)
        body.pop("ExposedPorts", None)
        body["HostConfig"] |= {"PortBindings": {}, "Sysctls": {}, "Dns": [], "ExtraHosts": []}
    made = engine.call("POST", f"/containers/create?name={name}", body)["Id"]
    for network, endpoint in networks.items():
        engine.call("POST", f"/networks/{network}/connect", {"Container": made, "EndpointConfig": endpoint})
    if start:
        try:
            engine.call("POST", f"/containers/{made}/start")
        except RuntimeError:
            # An engine that may not do everything itself, as in a container, starts no privileged one.
            pass


class Direct(http.client.HTTPConnection):
    """The engine on this machine, asked directly: no client says all that an engine understands."""

    def __init__(self) -> None:
        super().__init__("docker")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)

    def call(self, method: str, path: str, body: object = None) -> Any:
        self.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        response = self.getresponse()
        text = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None



if __name__ == "__main__":
    main()
