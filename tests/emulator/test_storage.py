"""The storage: signed URLs that expire, uploads as strict as object storage, ranges of outputs."""

import socket
import tracemalloc
from urllib.parse import urlsplit

import httpx
import pytest

from servers import wait_until

IMAGE = "/v1/ai-image-generator"
HOUR = 3600.0


def kept_bytes(api):
    """The uploaded files on the emulator's disk."""
    return set((api.emulator.service.directory / "uploads").iterdir())


def denied(response, status=403, code="AccessDenied"):
    """The message of a response that must be this refusal, in the XML of object storage."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/xml"
    assert f"<Code>{code}</Code>" in response.text
    return response.text


def test_storage_is_another_origin(api, output):
    assert output.startswith(f"{api.emulator.storage_url}/")
    assert api.slot()["upload_url"].startswith(f"{api.emulator.storage_url}/api-assets/")
    assert urlsplit(api.emulator.storage_url).port != urlsplit(api.emulator.url).port


def test_a_second_put_replaces_the_first(api):
    slot = api.slot()
    for content in (b"first", b"second"):
        assert httpx.put(slot["upload_url"], content=content).status_code == 200
    assert api.emulator.uploaded(slot["file_path"]).read_bytes() == b"second"


def test_a_put_without_a_length_is_refused(api):
    slot = api.slot()
    denied(httpx.put(slot["upload_url"], content=iter([b"in", b"pieces"])), 411, "MissingContentLength")
    with pytest.raises(KeyError):
        api.emulator.uploaded(slot["file_path"])


def test_an_api_key_sent_to_storage_is_refused(api, output):
    slot = api.slot()
    headers = {"Authorization": f"Bearer {api.emulator.token}"}
    denied(httpx.put(slot["upload_url"], content=b"x", headers=headers))
    denied(httpx.get(output, headers=headers))
    with pytest.raises(KeyError):
        api.emulator.uploaded(slot["file_path"])


def test_an_upload_url_expires_after_an_hour(api):
    slot = api.slot()
    api.emulator.clock.advance(HOUR - 1)
    assert httpx.put(slot["upload_url"], content=b"x").status_code == 200
    api.emulator.clock.advance(2)
    assert "expired" in denied(httpx.put(slot["upload_url"], content=b"y"))
    assert api.emulator.uploaded(slot["file_path"]).read_bytes() == b"x"


def test_a_download_url_expires_after_a_day_and_a_new_one_works(api, output):
    job_id = api.emulator.jobs[0].id
    api.emulator.clock.advance(24 * HOUR - 30)
    assert httpx.get(output).status_code == 200
    fresh = api.get(job_id)["downloads"][0]
    api.emulator.clock.advance(60)
    assert "expired" in denied(httpx.get(output))
    assert httpx.get(fresh["url"]).status_code == 200


def test_uploads_are_forgotten_after_seven_days(api, plain_picture):
    body = {"assets": {"image_file_path": api.upload(plain_picture("red"))}}
    path = "/v1/ai-headshot-generator"
    api.emulator.clock.advance(7 * 24 * HOUR - 60)
    assert api.http.post(path, json=body).status_code == 200
    api.emulator.clock.advance(120)
    assert api.http.post(path, json=body).status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        *(lambda url: url.split("?")[0], lambda url: url[:-1] + ("0" if url[-1] != "0" else "1")),
        *(lambda url: url.replace("expires=1", "expires=2"), lambda url: url.replace("expires=", "expires=x")),
        lambda url: url.replace("output.png", "0/output.png"),
        lambda url: url.split("signature=")[0] + "signature=%C3%A9",
    ],
)
def test_a_changed_url_opens_nothing(output, change):
    denied(httpx.get(change(output)))


def test_a_url_is_good_for_its_own_method_and_path_only(api, output):
    first, second = api.slot(), api.slot()
    query = urlsplit(first["upload_url"]).query
    denied(httpx.get(first["upload_url"]))
    denied(httpx.put(output, content=b"x"))
    denied(httpx.put(f"{second['upload_url'].split('?')[0]}?{query}", content=b"x"))


def test_a_url_of_another_emulator_opens_nothing(start, output):
    with start() as other:
        url = urlsplit(output)
        denied(httpx.get(f"{other.emulator.storage_url}{url.path}?{url.query}"))


def test_a_cut_upload_leaves_nothing_behind(api):
    before = kept_bytes(api)
    slot = api.slot()
    url = urlsplit(slot["upload_url"])
    head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(head.encode() + b"x" * 500)
        connection.shutdown(socket.SHUT_WR)
    wait_until(lambda: [request.status for request in api.emulator.requests.find(method="PUT")] == [400])
    with pytest.raises(KeyError):
        api.emulator.uploaded(slot["file_path"])
    assert kept_bytes(api) == before
    assert httpx.put(slot["upload_url"], content=b"whole").status_code == 200
    assert api.emulator.uploaded(slot["file_path"]).read_bytes() == b"whole"


def test_an_output_says_its_length_type_and_tag(output):
    whole = httpx.get(output)
    head = httpx.head(output)
    assert whole.headers["content-type"] == "image/png"
    assert whole.headers["accept-ranges"] == "bytes"
    assert int(whole.headers["content-length"]) == len(whole.content)
    assert (head.status_code, head.content) == (200, b"")
    assert (head.headers["content-length"], head.headers["etag"]) == (str(len(whole.content)), whole.headers["etag"])


@pytest.mark.parametrize(("asked", "first", "last"), [("0-99", 0, 100), ("1000-", 1000, None), ("-50", -50, None)])
def test_a_range_of_an_output(output, asked, first, last):
    whole = httpx.get(output).content
    part = httpx.get(output, headers={"Range": f"bytes={asked}"})
    assert part.status_code == 206
    assert part.content == whole[first:last]
    start = first % len(whole)
    assert part.headers["content-range"] == f"bytes {start}-{start + len(part.content) - 1}/{len(whole)}"
    beyond = httpx.get(output, headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")


def test_a_range_is_given_only_if_the_output_is_still_the_same(api, tmp_path, output):
    tag = httpx.get(output).headers["etag"]
    headers = {"Range": "bytes=10-", "If-Range": tag}
    assert httpx.get(output, headers=headers).status_code == 206
    other = tmp_path / "other.png"
    other.write_bytes(b"other bytes, of another length")
    api.emulator.put_output(api.emulator.jobs[0].id, 0, other)
    changed = httpx.get(output, headers=headers)
    assert (changed.status_code, changed.content) == (200, other.read_bytes())
    assert changed.headers["etag"] != tag


def test_outputs_that_are_not_there(api, image_body):
    signer = api.emulator.service.signer
    waiting = api.create(IMAGE, image_body)["id"]
    for path in ("/nothing", "/c" + "0" * 24 + "/output.png", f"/{waiting}/output.png", f"/{waiting}/7/output.png"):
        url, _ = signer.sign(api.emulator.storage_url, "GET", path, 60)
        denied(httpx.get(url), 404, "NoSuchKey")
    url, _ = signer.sign(api.emulator.storage_url, "PUT", "/api-assets/never/image.png", 60)
    denied(httpx.put(url, content=b"x"), 404, "NoSuchKey")


def test_the_outputs_of_a_job_share_a_base_name(api, image_body):
    project = api.finish(IMAGE, {**image_body, "image_count": 3})
    paths = [urlsplit(download["url"]).path for download in project["downloads"]]
    assert [path.rsplit("/", 1)[1] for path in paths] == ["output.png"] * 3
    assert len(set(paths)) == 3


def test_large_uploads_stay_out_of_memory(api):
    """64 MB through this process: at its peak, memory holds a few chunks, never the file."""
    piece, count = bytes(1024 * 1024), 64
    slot = api.slot("video", "mp4")
    headers = {"Content-Length": str(len(piece) * count)}
    httpx.put(slot["upload_url"], content=piece)  # loads what is loaded late
    tracemalloc.start()
    try:
        httpx.put(slot["upload_url"], content=(piece for _ in range(count)), headers=headers).raise_for_status()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert api.emulator.uploaded(slot["file_path"]).stat().st_size == len(piece) * count
    assert peak < 16 * len(piece)
