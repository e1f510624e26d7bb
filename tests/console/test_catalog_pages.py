"""The catalog's pages: what is found, what a choice shows with a script and without, and the parts for htmx."""

import html
import re

import pytest

from gatekeeper.console.dataport import DataPort
from gatekeeper.console.pages.catalog import from_credits, overview, state_of
from gatekeeper.console.pages.model import address_of, model_page
from tests.cases import each_case
from tests.console.consoleworld import Console
from tests.console.shop import doors, forms_of, model, shipped

DATA_PORT = DataPort(tuple(doors()), None, 8080)
PART = {"HX-Request": "true"}


def text_of(page: str) -> str:
    """What a page says, without its elements."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


async def test_every_model_is_listed_with_its_way(console: Console) -> None:
    """Name, least price, providers and state; and a link to its page."""
    page = await console.get("/catalog")

    assert f"All {len(shipped().models)} models" in text_of(page)
    for each in shipped().models:
        assert f'href="/catalog/{each.id}"' in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "veo fast"}, {"veo-3.0-fast", "veo-3.1-fast"}),
        ({"q": "GEN4.5"}, {"gen-4.5"}),
        ({"operation": "image.upscale"}, {"topaz", "magnific-precision-v2"}),
        ({"provider": "luma"}, {"ray-2", "ray-flash-2"}),
        ({"q": "veo", "provider": "fal"}, {"veo-3.1", "veo-3.1-fast"}),
        ({"q": "no such thing"}, set()),
        ({"operation": "nonsense"}, set()),
    ],
)
def test_a_filter_leaves_what_it_says(query: dict[str, str], found: set[str]) -> None:
    """Words are looked for in names, ids and providers; all filters count together."""
    assert found == {row.id for row in overview(shipped(), query).rows}


async def test_a_filter_works_without_a_script(console: Console) -> None:
    """It is a form that is sent, and the page has what was said in it again."""
    page = await console.get("/catalog?q=kling&operation=video.generate&provider=fal")

    assert 'value="kling"' in page
    assert '<option value="fal" selected>' in page
    assert f"2 of {len(shipped().models)} models" in text_of(page)


async def test_htmx_is_given_the_rows_alone(console: Console) -> None:
    """No head, no navigation; and the address under which they are found again."""
    part = await console.get("/catalog?q=veo&provider=", headers=PART)

    assert "<html" not in part
    assert 'data-address="/catalog?q=veo"' in part


async def test_nothing_found_says_what_to_do(console: Console) -> None:
    """Never an empty table."""
    page = await console.get("/catalog?q=%3Cscript%3E")

    assert "No model is like that" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


@each_case("name", [each.id for each in shipped().models])
def test_every_model_has_a_page_for_every_choice(name: str) -> None:
    """Its address leads back to what is shown."""
    of = model(name)
    for form in forms_of(of):
        page = model_page(shipped(), of, form, DATA_PORT, "127.0.0.1:8081")

        again = dict(
            re.findall(r"[?&]([^=]+)=([^&]*)", html.unescape(page.address.replace("%3A", ":").replace("%2F", "/")))
        )
        assert page.calculation.quote == model_page(shipped(), of, again, DATA_PORT, "").calculation.quote


async def test_a_page_shows_the_total_with_its_lines(console: Console) -> None:
    """And where the price comes from."""
    page = text_of(await console.get("/catalog/ideogram-v3?outputs=4&aspect_ratio=16:9"))

    assert "100 credits" in page
    assert "image generate 25 4 100" in page
    assert model("ideogram-v3").price_list.id in page


async def test_a_choice_narrows_the_others(console: Console) -> None:
    """At 4K Veo makes eight seconds and nothing else."""
    page = await console.get("/catalog/veo-3.1?resolution=4K")

    assert 'name="duration_s" value="8"' in page
    assert 'name="duration_s" value="4"' not in page
    assert 'name="resolution" value="4K" checked' in page


async def test_htmx_is_given_the_calculator_alone(console: Console) -> None:
    """What was changed last counts."""
    part = await console.get("/catalog/veo-3.1?resolution=4K&duration_s=4&changed=duration_s", headers=PART)

    assert "<html" not in part
    assert 'data-address="/catalog/veo-3.1?duration_s=4"' in part
    assert "Resolution 4K does not go with the rest and is not counted." in text_of(part)


async def test_a_cell_of_the_table_leads_to_itself(console: Console) -> None:
    """Its lines stand beside it, for a pointer and for the keyboard."""
    page = await console.get("/catalog/nano-banana-2")

    cell = re.search(r'<a class="price" href="([^"]+)#total"[^>]* aria-describedby="(pop-10-2)">([^<]+)</a>', page)
    assert cell is not None
    assert f'role="tooltip" id="{cell[2]}"' in page
    chosen = text_of(await console.get(html.unescape(cell[1])))
    assert f"Costs {cell[3]} credits" in chosen


async def test_a_model_that_ends_says_where_to_go(console: Console) -> None:
    """The day, and a link to its replacement."""
    ending, retired = await console.get("/catalog/nano-banana"), await console.get("/catalog/dall-e-3")

    assert "Move to" in text_of(ending)
    assert "is retired" in text_of(retired)
    assert re.search(r'Move to <a href="/catalog/[a-z0-9.-]+">', retired)


async def test_snippets_name_the_data_plane_and_no_key(console: Console) -> None:
    """At the host by which the console was reached."""
    page = html.unescape(await console.get("/catalog/chatgpt-1.5"))

    port = console.world.gateway.gate.public_url or "http://127.0.0.1:0"
    assert f"curl -sS {port}/openai/v1/images/generations" in page
    assert "gk_" not in page


async def test_a_name_of_a_provider_leads_to_its_model(console: Console) -> None:
    """Slashes and all; one that stands for no model, or for more than one, is not there."""
    sold = [(offer.upstream_id, each.id) for each in shipped().models for offer in each.offers]
    name, model_id = next(pair for pair in sold if "/" in pair[0] and shipped().find_upstream(pair[0]))

    answers = [await console.ask("GET", f"/catalog/{path}") for path in (name, "no/such/model")]

    assert [303, 404] == [answer.status for answer in answers]
    assert f"/catalog/{model_id}" == answers[0].headers["Location"]


async def test_an_alias_leads_to_its_model(console: Console) -> None:
    """So that every model has one address."""
    answer = await console.ask("GET", "/catalog/nanobanana-2")

    assert (303, "/catalog/nano-banana-2") == (answer.status, answer.headers["Location"])


async def test_a_model_that_is_none_is_not_found(console: Console) -> None:
    """Nor is anything of what was asked repeated as it came."""
    answer = await console.ask("GET", "/catalog/%3Cscript%3Ealert(1)%3C%2Fscript%3E")

    assert 404 == answer.status
    assert b"<script>alert" not in answer.body


async def test_hostile_choices_are_passed_over(console: Console) -> None:
    """Whatever an address says, the page is a page."""
    page = await console.get(
        "/catalog/flux-2-pro?size=%22%3E%3Cb%3E&outputs=999999999999&resolution=%00&operation=x&scale=1e9"
    )

    assert "<b>" not in page
    assert "28" in text_of(page)


async def test_nobody_sees_it_without_a_session(console: Console) -> None:
    """A script is sent to the door as well."""
    stranger = Console(console.world)

    whole = await stranger.ask("GET", "/catalog/veo-3.1?resolution=4K")
    part = await stranger.ask("GET", "/catalog/veo-3.1", headers=PART)

    assert (303, 401) == (whole.status, part.status)
    assert whole.headers["Location"].startswith("/login?next=%2Fcatalog%2Fveo-3.1")


@pytest.mark.parametrize(
    ("data_port", "host", "url"),
    [
        (DATA_PORT, "console.example:8081", "http://console.example:8080"),
        (DATA_PORT, "[::1]:8081", "http://[::1]:8080"),
        (DATA_PORT, "10.0.0.7", "http://10.0.0.7:8080"),
        (DATA_PORT, 'x";rm -rf /', "http://127.0.0.1:8080"),
        (DataPort((), "https://gate.example/", 8080), "elsewhere", "https://gate.example"),
    ],
)
def test_the_data_plane_is_where_the_browsers_machine_reaches_it(data_port: DataPort, host: str, url: str) -> None:
    """What the settings say, else the console's host; never what is no host name."""
    assert url == data_port.url(host)


@pytest.mark.parametrize(
    ("name", "least", "state"),
    [
        ("nano-banana-2", 49_000_000, ("good", "sold")),
        ("dall-e-3", 8_440_000, ("bad", "retired")),
        ("imagineart-1.5", 15_000_000, ("off", "own backend")),
    ],
)
def test_a_row_has_the_least_price_and_the_state_of_all_offers(name: str, least: int, state: tuple[str, str]) -> None:
    """As the price list has them."""
    found = state_of(model(name))

    assert (least, state) == (from_credits(model(name)), (found.tone, found.word))


def test_an_address_is_escaped_once() -> None:
    """A ratio has a colon, and an id may have a dot."""
    assert "/catalog/a.b?aspect_ratio=16%3A9" == address_of("a.b", {"aspect_ratio": "16:9"})
