"""Notes, kept in Postgres, read through Redis, and sent by mail. Everything it needs to know comes from
the environment."""

import json
import os
import smtplib
from contextlib import contextmanager
from email.message import EmailMessage
from urllib.parse import urlsplit

import redis
from flask import Flask, jsonify, request, send_file
from psycopg2.pool import ThreadedConnectionPool

CACHE_SECONDS = 300
LONGEST_NOTE = 10_000

app = Flask(__name__)
pool = ThreadedConnectionPool(0, 8, os.environ["DATABASE_URL"])
cache = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=2)
smtp = urlsplit(os.environ["SMTP_URL"])


@contextmanager
def database():
    """One connection for one transaction; a broken one is not used again."""
    connection = pool.getconn()
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        pool.putconn(connection, close=bool(connection.closed))


def prepare():
    with database() as cursor:
        cursor.execute(
            """
            CREATE TABLE IF NOT EXISTS notes (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                text text NOT NULL,
                written timestamptz NOT NULL DEFAULT now()
            )
            """
        )


prepare()


@app.get("/")
def page():
    return send_file("page.html")


@app.get("/healthz")
def healthz():
    with database() as cursor:
        cursor.execute("SELECT 1")
    cache.ping()
    return jsonify(ok=True)


@app.post("/notes")
def write():
    text = str((request.get_json(silent=True) or {}).get("text", "")).strip()
    if not 0 < len(text) <= LONGEST_NOTE:
        return jsonify(error=f"a note has 1 to {LONGEST_NOTE} characters"), 400
    with database() as cursor:
        cursor.execute("INSERT INTO notes (text) VALUES (%s) RETURNING id", (text,))
        (number,) = cursor.fetchone()
    return jsonify(id=number, text=text), 201


@app.get("/notes")
def find():
    wanted = request.args.get("q", "").strip()
    with database() as cursor:
        if wanted:
            cursor.execute(
                """
                SELECT id, text FROM notes
                WHERE unaccent(%(q)s) <%% unaccent(text)
                ORDER BY unaccent(%(q)s) <<-> unaccent(text), id DESC LIMIT 50
                """,
                {"q": wanted},
            )
        else:
            cursor.execute("SELECT id, text FROM notes ORDER BY id DESC LIMIT 50")
        return jsonify([{"id": number, "text": text} for number, text in cursor])


def read_note(number):
    """Returns a note and whether it came from the cache, or None."""
    key = f"note:{number}"
    try:
        if (kept := cache.get(key)) is not None:
            return json.loads(kept), True
    except redis.RedisError:
        pass  # a cache that is away makes things slower, not wrong
    with database() as cursor:
        cursor.execute("SELECT text, written FROM notes WHERE id = %s", (number,))
        row = cursor.fetchone()
    if row is None:
        return None, False
    note = {"id": number, "text": row[0], "written": row[1].isoformat()}
    try:
        cache.set(key, json.dumps(note), ex=CACHE_SECONDS)
    except redis.RedisError:
        pass
    return note, False


@app.get("/notes/<int:number>")
def read(number):
    note, cached = read_note(number)
    if note is None:
        return jsonify(error=f"there is no note {number}"), 404
    return jsonify(**note, cached=cached)


@app.post("/mail")
def mail():
    wish = request.get_json(silent=True) or {}
    note, _ = read_note(int(wish.get("id", 0)))
    if note is None:
        return jsonify(error="there is no such note"), 404
    message = EmailMessage()
    message["From"] = "notes@quickstart.localhost"
    message["To"] = str(wish.get("to", "you@quickstart.localhost"))
    message["Subject"] = f"Note {note['id']}"
    message.set_content(note["text"])
    try:
        with smtplib.SMTP(smtp.hostname, smtp.port or 25, timeout=5) as server:
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        return jsonify(error=f"the mail was not taken: {error}"), 502
    return jsonify(sent=True, to=message["To"]), 202
