"""Shards: however a plan is cut, and whoever encodes what of it, the store and the tables hold the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
import yaml

from nsnet.cluster import encoding, filling
from nsnet.cluster.encoding import encode_shard
from nsnet.cluster.filling import fill_store
from nsnet.cluster.places import Place
from nsnet.cluster.settings import Cluster
from nsnet.cluster.shards import Receipt, Shard, read_shard, write_shard
from nsnet.core.paths import Paths
from nsnet.features.backbone import Backbone, load_backbone
from nsnet.features.conditions import Condition
from nsnet.features.contracts import Features, Patches
from nsnet.features.extraction import make_plan, update_features
from nsnet.features.jobs import Job
from nsnet.features.pictures import Key, ReplacedPicture
from nsnet.features.requests import project_request
from nsnet.features.settings import Blur, Crop, Noise, Resize, Webp
from nsnet.params import Params
from tests.conftest import ROOT
from tests.stores import make_corpus

# Pictures under a condition each: one of thirty-six is under both.
ALL = 37
SETTINGS = Cluster(runner="threads", workers=2, address=None, shards=None, data=None, shard_pictures=10)


@pytest.fixture(scope="module")
def backbone(params: Params) -> Backbone:
    return load_backbone(params.backbone)


def make_project(folder: Path) -> Paths:
    """A project whose corpus is thirty-six pictures, two thirds of them under another condition."""
    paths = Paths(folder)
    paths.data.mkdir(parents=True)
    make_corpus(paths.data)
    (paths.artifacts / "corpus").mkdir(parents=True)
    for name in ("images", "samples"):
        (paths.data / f"{name}.parquet").rename(paths.artifacts / f"corpus/{name}.parquet")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["evaluate"]["conditions"] = ["jpeg50"]
    paths.params.write_text(yaml.safe_dump(values))
    return paths


def tables(paths: Paths, backbone: Backbone) -> tuple[int, list[bytes]]:
    """What the stage still has to encode, and the bytes of its tables."""
    out = [paths.table(kind) for kind in (Features, Patches)]
    request = project_request(paths, backbone)
    counts = update_features(request, backbone, paths.feature_store, *out, batch=8, workers=2)
    return counts.computed, [path.read_bytes() for path in out]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, backbone: Backbone) -> list[bytes]:
    """The tables of a run without shards."""
    computed, contents = tables(make_project(tmp_path_factory.mktemp("local") / "project"), backbone)
    assert computed == ALL
    return contents


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return make_project(tmp_path / "project")


@pytest.fixture
def memory() -> Iterator[str]:
    """A URL that is nobody's disk."""
    yield "memory://bucket/shards"
    fsspec.filesystem("memory").store.clear()


def encode_all(url: str, backbone_id: str, names: Sequence[str]) -> Iterator[Receipt]:
    return (encode_shard(url, backbone_id, name) for name in names)


def quiet(line: str) -> None:
    pass


def one_shard(paths: Paths, backbone: Backbone, place: Place, params: Params) -> str:
    """All that is wanted, as one shard."""
    with make_plan(replace(project_request(paths, backbone), root=Path()), paths.feature_store, backbone.id) as plan:
        jobs = tuple(plan.jobs(1))
    return write_shard(place, Shard(params.backbone, backbone.id, 8, False, str(paths.data), jobs))


@pytest.mark.parametrize("pictures, workers, worth", [(1, 1, 10**9), (10, 2, 10**9), (10, 2, 1), (512, 1, 1)])
def test_the_same_bytes_however_it_is_cut(
    paths: Paths,
    backbone: Backbone,
    local: list[bytes],
    memory: str,
    monkeypatch: pytest.MonkeyPatch,
    pictures: int,
    workers: int,
    worth: int,
) -> None:
    """Parts of one picture or of sixteen, passes recorded or not, in shards of one job or of all."""
    monkeypatch.setattr(filling, "WORTH", worth)
    encoding._tower.cache_clear()
    settings = SETTINGS.model_copy(update={"shard_pictures": pictures, "workers": workers, "shards": memory})
    assert fill_store(paths, settings, encode_all, quiet) == ALL
    assert tables(paths, backbone) == (0, local)
    assert not Place(memory).names("")


def test_a_shard_is_a_value(params: Params, memory: str) -> None:
    operations = (
        Webp(op="webp", quality=3),
        Blur(op="blur", sigma=0.1),
        Noise(op="noise", sigma=1 / 3),
        Resize(op="resize", longest=9),
        Crop(op="crop", share=0.7),
    )
    condition = Condition("all", operations, 7, "x")
    pictures = (("f" * 64, Path("a b/ü[1]*.png")),)
    job = Job("s", "a/../odd név", condition, pictures, (Key("mosaic", 3),), "float16", True)
    shard = Shard(params.backbone, "0" * 12, 8, True, "s3://bucket/data", (job, job))
    place = Place(memory)
    name = write_shard(place, shard)
    assert read_shard(place, "0" * 12, name) == shard
    assert write_shard(place, shard) == name != write_shard(place, replace(shard, batch=9))
    file = f"{'0' * 12}/shards/{name}.json"
    place.write(file, place.read(file).replace(b"float16", b"float32"))
    with pytest.raises(ValueError, match=f"{name}.json is damaged"):
        read_shard(place, "0" * 12, name)


def test_a_shard_that_is_done_is_not_encoded_again(
    tmp_path: Path, paths: Paths, backbone: Backbone, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place((tmp_path / "shards").as_uri())
    name = one_shard(paths, backbone, place, params)
    first = encode_shard(place.url, backbone.id, name)
    assert first.pictures == ALL and "torch" in first.machine

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("encoded again")

    with monkeypatch.context() as patched:
        patched.setattr(encoding, "run_jobs", refuse)
        assert encode_shard(place.url, backbone.id, name) == first
        place.remove(first.parts[-1])
        with pytest.raises(AssertionError, match="encoded again"):
            encode_shard(place.url, backbone.id, name)
    assert encode_shard(place.url, backbone.id, name) == first
    assert all(place.exists(part) for part in first.parts)


def test_a_damaged_part_is_named_set_aside_and_encoded_again(
    paths: Paths, backbone: Backbone, local: list[bytes], tmp_path: Path
) -> None:
    victims: list[Path] = []

    def encode(url: str, backbone_id: str, names: Sequence[str]) -> Iterator[Receipt]:
        receipts = list(encode_all(url, backbone_id, names))
        if not victims:
            victims.append(Path(url) / receipts[0].parts[0])
            content = bytearray(victims[0].read_bytes())
            content[len(content) // 2] ^= 1
            victims[0].write_bytes(content)
        yield from receipts

    lines: list[str] = []
    fill_store(paths, SETTINGS, encode, lines.append)
    [told] = [line for line in lines if "is damaged" in line]
    assert told == f"{victims[0]} is damaged: set aside there, to be encoded again"
    assert victims[0].with_name(victims[0].name + ".damaged").exists()
    assert tables(paths, backbone) == (0, local)
    assert Place(str(tmp_path / "project/store/shards")).names("") == [
        str(victims[0].relative_to(tmp_path / "project/store/shards")) + ".damaged"
    ]


def test_another_tower_is_refused(
    tmp_path: Path, paths: Paths, backbone: Backbone, params: Params, memory: str
) -> None:
    encoding._tower.cache_clear()
    place = Place(memory)
    name = one_shard(paths, backbone, place, params)
    shard = read_shard(place, backbone.id, name)
    other = params.backbone.model_copy(update={"interpolation": "bilinear"})
    name = write_shard(place, replace(shard, backbone=other))
    with pytest.raises(ValueError, match=rf"lab-clip has id \w+ on .*, expected {backbone.id}: install the same"):
        encode_shard(place.url, backbone.id, name)
    assert not [name for name in place.names("") if "/shards/" not in name]


def test_what_fails_is_planned_again_while_anything_comes(paths: Paths, backbone: Backbone, local: list[bytes]) -> None:
    rounds: list[int] = []

    def dies(url: str, backbone_id: str, names: Sequence[str]) -> Iterator[Receipt | Exception]:
        """Each round, all shards but the first are with a worker that is killed."""
        rounds.append(len(names))
        yield encode_shard(url, backbone_id, names[0])
        yield from (ConnectionError("worker is gone") for _ in names[1:])

    lines: list[str] = []
    assert fill_store(paths, SETTINGS, dies, lines.append) == ALL
    assert rounds[0] > 1 and rounds[-1] == 1 and len(rounds) > 2
    assert any(f"; {rounds[0] - 1} shards failed" in line for line in lines)
    assert tables(paths, backbone) == (0, local)


def test_rounds_that_bring_nothing_come_to_an_end(paths: Paths) -> None:
    def dead(url: str, backbone_id: str, names: Sequence[str]) -> Iterator[Receipt | Exception]:
        return (ConnectionError("worker is gone") for _ in names)

    lines: list[str] = []
    with pytest.raises(RuntimeError, match=f"{ALL} pictures are missing, and 3 rounds brought none: worker is gone"):
        fill_store(paths, SETTINGS, dead, lines.append)
    assert len([line for line in lines if "the first that failed: ConnectionError" in line]) == 3


def test_what_only_a_user_can_mend_ends_the_run_at_once(paths: Paths) -> None:
    def refuses(url: str, backbone_id: str, names: Sequence[str]) -> Iterator[Receipt | Exception]:
        yield encode_shard(url, backbone_id, names[0])
        yield ValueError("backbone: another file of weights")
        yield ConnectionError("worker is gone")

    with pytest.raises(ValueError, match="another file of weights"):
        fill_store(paths, SETTINGS, refuses, quiet)
    assert list(paths.feature_store.glob("*/*/*/*/part-*.parquet"))


def test_what_a_killed_flow_left_is_collected_first(paths: Paths, memory: str) -> None:
    settings = SETTINGS.model_copy(update={"shards": memory})
    half: list[Receipt] = []

    def killed(url: str, backbone_id: str, names: Sequence[str]) -> Iterator[Receipt]:
        half.append(encode_shard(url, backbone_id, names[0]))
        Place(url).write(f"{backbone_id}/.part-1.7@gone.tmp.parquet", b"half a part")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_store(paths, settings, killed, quiet)
    assert fill_store(paths, settings, encode_all, quiet) == ALL - half[0].pictures
    assert not Place(memory).names("")


def test_replaced_pictures_are_named_and_the_others_kept(paths: Paths, memory: str) -> None:
    shutil.copy(paths.data / "4.png", paths.data / "3.png")
    (paths.data / "20.png").unlink()
    settings = SETTINGS.model_copy(update={"shards": memory})
    with pytest.raises(ReplacedPicture, match="2 pictures are not the ones") as error:
        fill_store(paths, settings, encode_all, quiet)
    assert f"{paths.data / '3.png'}: has sha256" in str(error.value)
    assert len(list(paths.feature_store.glob("*/*/*/*/part-*.parquet"))) >= 3


def test_pictures_may_lie_behind_a_url(paths: Paths, backbone: Backbone, local: list[bytes], memory: str) -> None:
    place = Place("memory://pictures")
    for path in paths.data.glob("*.png"):
        place.write(path.name, path.read_bytes())
    settings = SETTINGS.model_copy(update={"shards": memory, "data": place.url})
    shutil.rmtree(paths.data)
    place.move("7.png", "elsewhere.png")
    with pytest.raises(ReplacedPicture, match=r"memory://pictures/7\.png: cannot be read"):
        fill_store(paths, settings, encode_all, quiet)
    place.move("elsewhere.png", "7.png")
    assert fill_store(paths, settings, encode_all, quiet) == 1
    assert tables(paths, backbone) == (0, local)


def test_settings_say_what_they_mean() -> None:
    with pytest.raises(ValueError, match="address: a runner threads has none; expected dask or ray, or null"):
        Cluster.model_validate({**SETTINGS.model_dump(), "address": "tcp://127.0.0.1:8786"})
    with pytest.raises(ValueError, match="nosuch://x cannot be reached: Protocol not known: nosuch"):
        Place("nosuch://x")
