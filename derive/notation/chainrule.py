"""The chain rule along a network, told once: the graph, products of local Jacobians, these written out, contracted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from .beamer import BeamerPage, Part, frame
from .drawing import Drawing, products, svg, tikz
from .html import HtmlPage, boxed
from .lines import AT_SUM
from .pages import LatexPage
from .story import Chain
from .view import Row, Shown, View

TITLE = "The network"
SLIDE = (13.0, 6.4)  # cm: the largest drawing on a slide
WORDS = {
    "graph": "Values flow along the arrows; each adjoint, the derivative of the loss, flows back against them.",
    "products": "By the chain rule each derivative is a product of local Jacobians, summed over all ways:",
    "local": "The local Jacobians, each entry by entry:",
    "contracted": "Contracted from the output backwards, each adjoint computed once, this is backpropagation:",
}

TITLES = {"products": "The chain rule", "local": "Local Jacobians", "contracted": "Backpropagation"}


@dataclass(frozen=True)
class Network:
    """A drawn network; `local` are its Jacobians with their own views, `contracted` its adjoints in `view`."""

    drawing: Drawing
    text: View
    view: View
    local: tuple[tuple[View, Chain], ...]
    contracted: tuple[Chain, ...]

    @property
    def products(self) -> list[Shown]:
        """∂L/∂x = ∂L/∂z · ∂z/∂x + …"""
        return [_sum(target, terms) for target, terms in products(self.drawing.graph, self.view)]

    def jacobians(self) -> list[Shown]:
        """∂z/∂x entry by entry, for every edge."""
        return [shown for view, chain in self.local for shown in view.chains(chain)]

    def adjoints(self) -> list[Shown]:
        """Every adjoint by those of its users."""
        return [shown for chain in self.contracted for shown in self.view.chains(chain)]


def _sum(target: str, terms: Sequence[str]) -> Shown:
    """A sum that breaks between its terms."""

    return Shown(target, (Row(f"{AT_SUM} + ".join(terms), ()),), ())


def network_html(network: Network, level: int = 2) -> str:
    """The section of an HTML page; its heading is of the given level."""
    page = HtmlPage(network.view)

    def box(key: str, chains: Sequence[Shown]) -> Iterator[str]:
        if chains:
            yield f"<p>{WORDS[key]}</p>"
            yield from boxed([cell for shown in chains for cell in page.cells(shown)], label=WORDS[key])

    drawn = svg(network.drawing, network.text)
    parts = [
        f"<h{level}>{TITLE}</h{level}>",
        f'<figure><div class="scroll" tabindex="0" role="group" aria-label="Graph">\n{drawn}\n</div>',
        f"<figcaption>{escape(WORDS['graph'])}</figcaption></figure>",
        *box("products", network.products),
        *box("local", network.jacobians()),
        *box("contracted", network.adjoints()),
    ]
    return "\n".join(parts) + "\n"


def network_latex(network: Network, heading: str = "subsection*") -> str:
    """The section of an article."""
    page = LatexPage(network.view)
    graph = [r"\ifdefined\tikzpicture", tikz(network.drawing, network.view), r"\fi"]  # TikZ is not everywhere
    parts = [rf"\{heading}{{{TITLE}}}", WORDS["graph"], *graph]
    for key, chains in _told(network):
        parts += ["", WORDS[key], page.display(chains)]
    return "\n".join(parts) + "\n"


def network_frames(network: Network) -> str:
    """The slides."""
    page = BeamerPage(network.view)
    drawing = tikz(network.drawing, network.view, SLIDE)
    found = [frame(TITLE, [Part(drawing, 1.0)])]
    for key, chains in _told(network):
        found += page.table(TITLES[key], chains)
    return "\n".join(found)


def _told(network: Network) -> Iterator[tuple[str, list[Shown]]]:
    for key, chains in (
        ("products", network.products), ("local", network.jacobians()), ("contracted", network.adjoints())
    ):  # fmt: skip
        if chains:
            yield key, chains


__all__ = ["Network", "network_frames", "network_html", "network_latex"]
