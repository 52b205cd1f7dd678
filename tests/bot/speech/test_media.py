"""Decoding: formats, time, gaps, files that end in the middle, streams that hang, die and come back."""

import asyncio
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bot.speech import RATE, SpeechError, media
from bot.speech.media import Away, Back, MediaLimits, MediaReader, Sound, is_remote
from tests.bot.speech.sounds import CLIPS, load, write_sound, write_wav
from tests.servers.streaming import sound_server

QUICK = MediaLimits(open_seconds=2.0, read_seconds=1.0, give_up_seconds=6.0)


def tone(seconds: float) -> NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def pieces(address: str | Path, limits: MediaLimits = QUICK) -> list[Sound | Away | Back]:
    return list(MediaReader(str(address), limits))


def seconds(found: list[Sound | Away | Back]) -> float:
    return sum(len(piece.samples) for piece in found if isinstance(piece, Sound)) / RATE


def without_gaps(found: list[Sound | Away | Back]) -> bool:
    """Whether each piece begins where the one before ended."""
    at = None
    for piece in found:
        if isinstance(piece, Sound):
            if at is not None and abs(piece.at - at) > 1e-3:
                return False
            at = piece.at + len(piece.samples) / RATE
    return True


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 8_000),
        ("a.wav", "pcm_s16le", 44_100),
        ("a.opus", "libopus", 48_000),
        ("a.mp4", "aac", 44_100),
        ("a.mp3", "libmp3lame", 22_050),
        ("a.flac", "flac", 16_000),
    ],
)
def test_formats_become_the_same_sound(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    written = tmp_path / "source.wav"
    write_wav(written, tone(3.0))
    path = tmp_path / name
    with av.open(str(written)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        for frame in (*source.decode(audio=0), None):
            for part in resampler.resample(frame):
                part.pts = None
                for packet in stream.encode(part):
                    out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    found = pieces(path)
    assert seconds(found) == pytest.approx(3.0, abs=0.15) and without_gaps(found)
    sound = load(path)[RATE // 2 : 2 * RATE]
    peak = np.abs(np.fft.rfft(sound)).argmax() * RATE / len(sound)
    assert peak == pytest.approx(440, abs=3)


def test_a_gap_in_the_time_stamps_becomes_silence_of_its_length(tmp_path: Path) -> None:
    path = tmp_path / "gap.mka"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for start in (0.0, 1.0, 1.2, 4.2):  # 200 ms are missing before 1.2 and 2 s before 4.2
            frame = av.AudioFrame.from_ndarray(
                (tone(1.0 if start != 1.0 else 0.0001) * 32767).astype(np.int16)[None], "s16", "mono"
            )
            frame.sample_rate, frame.pts = RATE, round(start * RATE)
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    found = pieces(path)
    assert without_gaps(found) and seconds(found) == pytest.approx(5.2, abs=0.05)
    sound = np.concatenate([piece.samples for piece in found if isinstance(piece, Sound)])
    assert np.abs(sound[round(1.03 * RATE) : round(1.17 * RATE)]).max() < 0.01
    assert np.abs(sound[round(2.3 * RATE) : round(4.1 * RATE)]).max() == 0.0
    assert np.abs(sound[round(4.3 * RATE) : round(5.1 * RATE)]).max() > 0.2


def test_a_clock_that_jumps_does_not_move_the_show(tmp_path: Path) -> None:
    path = tmp_path / "jump.mka"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for start in (0.0, 1.0, 5000.0, 5001.0):
            frame = av.AudioFrame.from_ndarray((tone(1.0) * 32767).astype(np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts = RATE, round(start * RATE)
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    found = pieces(path)
    assert without_gaps(found) and seconds(found) == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("share", [0.3, 0.62, 0.9])
@pytest.mark.parametrize("name", ["en-bread.opus", "a.mp3"])
def test_a_file_that_ends_in_the_middle_of_a_packet_is_heard_up_to_there(
    tmp_path: Path, name: str, share: float
) -> None:
    whole = CLIPS / name if name.endswith("opus") else write_sound(tmp_path / name, tone(5.0), "libmp3lame")
    cut = tmp_path / f"cut{whole.suffix}"
    content = whole.read_bytes()
    cut.write_bytes(content[: int(len(content) * share)])
    found = pieces(cut)
    assert without_gaps(found)
    assert 0.5 * share < seconds(found) / seconds(pieces(whole)) < share + 0.1


def test_rubbish_in_the_middle_is_counted_and_passed_over(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mp3", tone(6.0), "libmp3lame")
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : third + 3000] = bytes(range(256)) * 11 + b"\x00" * 184
    path.write_bytes(bytes(content))
    found = pieces(path)
    assert without_gaps(found) and seconds(found) == pytest.approx(6.0, abs=1.2)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "cannot be heard"), (b"no sound at all" * 100, "cannot be heard"), (None, "there is no such file")],
)
def test_what_is_no_sound_is_one_clear_line(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpeechError, match=why) as raised:
        pieces(path)
    assert "\n" not in str(raised.value)


def test_a_picture_holds_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("png", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "rgb24"
        for packet in stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")):
            out.mux(packet)
    with pytest.raises(SpeechError, match="holds no sound"):
        pieces(path)


def test_a_playlist_may_not_name_files_of_this_machine(tmp_path: Path) -> None:
    write_wav(tmp_path / "secret.wav", tone(1.0))
    (tmp_path / "list.txt").write_text("ffconcat version 1.0\nfile 'http://127.0.0.1:1/a.wav'\n")
    with pytest.raises(SpeechError):
        pieces(tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("address", "remote"),
    [
        ("a.wav", False),
        ("/x/a:b.wav", False),
        ("file:a.wav", False),
        ("https://a.example/x", True),
        ("rtmp://h/x", True),
    ],
)
def test_what_is_remote(address: str, remote: bool) -> None:
    assert is_remote(address) is remote


@pytest.fixture
def served(tmp_path: Path) -> Path:
    write_sound(tmp_path / "live.mp3", tone(8.0), "libmp3lame")
    write_wav(tmp_path / "a.wav", tone(3.0))
    return tmp_path


async def test_a_file_on_a_server(served: Path) -> None:
    async with sound_server(served) as server:
        found = await asyncio.to_thread(pieces, f"{server.base}/files/a.wav")
    assert seconds(found) == pytest.approx(3.0, abs=0.05) and all(isinstance(piece, Sound) for piece in found)


async def test_what_a_server_does_not_have_is_one_clear_line(served: Path) -> None:
    async with sound_server(served) as server:
        with pytest.raises(SpeechError, match="Not Found"):
            await asyncio.to_thread(pieces, f"{server.base}/files/none.wav")


@pytest.mark.parametrize("fault", ["hang", "break"])
async def test_a_stream_that_hangs_or_dies_is_opened_again(
    served: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "WAITS", (0.1, 0.2))
    async with sound_server(served) as server:
        server.plan = [fault, "refuse", "whole", "refuse"]
        reader = MediaReader(f"{server.base}/live", QUICK)
        found = await asyncio.to_thread(list, reader)
    kinds = [type(piece) for piece in found if not isinstance(piece, Sound)]
    assert kinds == [Away, Back, Away]
    away, back = (next(piece for piece in found if isinstance(piece, kind)) for kind in (Away, Back))
    assert 2.0 < away.at < 4.6 and back.at > away.at
    assert reader.reopened >= 2
    after = sum(len(p.samples) for p in found[found.index(back) :] if isinstance(p, Sound)) / RATE
    assert after == pytest.approx(8.0, abs=0.3)


async def test_a_stream_can_be_stopped(served: Path) -> None:
    async with sound_server(served) as server:
        server.plan = ["hang"]
        reader = MediaReader(f"{server.base}/live", QUICK)
        listening = asyncio.create_task(asyncio.to_thread(list, reader))
        await server.asked.wait()
        reader.stop()
        async with asyncio.timeout(5):
            await listening


def test_a_film_is_heard_and_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as out:
        picture = out.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
        stream = out.add_stream("aac", rate=RATE, layout="mono")
        for _ in range(20):
            for packet in picture.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")):
                out.mux(packet)
        frame = av.AudioFrame.from_ndarray((tone(2.0) * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE, frame_size=1024)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            for packet in stream.encode(part):
                out.mux(packet)
        for coder in (picture, stream):
            for packet in coder.encode(None):
                out.mux(packet)
    assert seconds(pieces(path)) == pytest.approx(2.0, abs=0.15)


def test_a_stream_may_change_its_rate_and_channels(tmp_path: Path) -> None:
    parts = []
    for name, rate, layout in (("a", 44_100, "mono"), ("b", 48_000, "stereo"), ("c", 44_100, "mono")):
        part = tmp_path / f"{name}.mp3"
        with av.open(str(part), "w") as out:
            stream = out.add_stream("libmp3lame", rate=rate, layout=layout)
            frame = av.AudioFrame.from_ndarray((tone(2.0) * 32767).astype(np.int16)[None], "s16", "mono")
            frame.sample_rate = RATE
            resampler = av.AudioResampler(format="s16p", layout=layout, rate=rate)
            for one in (*resampler.resample(frame), *resampler.resample(None)):
                one.pts = None
                for packet in stream.encode(one):
                    out.mux(packet)
            for packet in stream.encode(None):
                out.mux(packet)
        parts.append(part.read_bytes())
    path = tmp_path / "all.mp3"
    path.write_bytes(b"".join(parts))
    found = pieces(path)
    assert without_gaps(found) and seconds(found) == pytest.approx(6.0, abs=0.5)


def write_hls(folder: Path, over: bool, start: float = 0.0, length: float = 6.0) -> None:
    """Write `live.m3u8` with segments of two seconds, with or without the mark of its end."""
    options = {"hls_time": "2", "hls_list_size": "0", "hls_segment_filename": str(folder / "part%d.ts")}
    with av.open(str(folder / "live.m3u8"), "w", format="hls", options=options) as out:
        stream = out.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray((tone(length) * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate, frame.pts = RATE, round(start * RATE)
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE, frame_size=1024)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            for packet in stream.encode(part):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    if not over:
        playlist = folder / "live.m3u8"
        playlist.write_text(playlist.read_text().replace("#EXT-X-ENDLIST\n", ""))


async def test_a_playlist_that_stands_still_is_heard_once_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "WAITS", (0.1, 0.2))
    await asyncio.to_thread(write_hls, tmp_path, False)
    async with sound_server(tmp_path) as server:
        reader = MediaReader(f"{server.base}/files/live.m3u8", MediaLimits(2.0, 2.0, 6.0))
        found = await asyncio.to_thread(list, reader)
    assert seconds(found) <= 6.5 and reader.given_up
    assert [type(piece) for piece in found if not isinstance(piece, Sound)] == [Away]


@pytest.mark.parametrize("start", [0.0, 5000.0])
async def test_a_file_on_a_server_that_hangs_is_resumed_where_it_broke(
    tmp_path: Path, start: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "WAITS", (0.1, 0.2))
    await asyncio.to_thread(write_hls, tmp_path, True, start, 8.0)
    async with sound_server(tmp_path) as server:
        server.broken_files = {"part2.ts": 2}  # a playlist's reader asks again by itself
        reader = MediaReader(f"{server.base}/files/live.m3u8", QUICK)
        found = await asyncio.to_thread(list, reader)
    assert reader.finite and seconds(found) == pytest.approx(8.0, abs=0.4)
