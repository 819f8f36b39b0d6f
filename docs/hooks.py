"""What MkDocs adds to docs/: README as the first page, and whatever a page links to outside of docs/ or as a folder.

So the same files read well on a code host and on the site. A file that is no Markdown becomes a page with its text, a
folder one with its list of files. Links of the finished site that lead nowhere are warnings, for `make docs` errors.
"""

import logging
import os
import re
from pathlib import Path
from urllib.parse import unquote

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)(?=[)#])")
HREF = re.compile(r'(?<=href=")(?!\w+:|//)([^"#]+)(?=["#])')
START = "README.md"
LANGUAGES = {".yaml": "yaml", ".cff": "yaml", ".csv": "text"}


def on_files(files, config):
    """Add the pages that lie outside of docs/, and those that they link to."""
    waiting = [START, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    seen = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        place = page_of(path)
        if not files.get_file_from_path(place):
            files.append(File.generated(config, place, content=text_of(path)))
        if path.endswith(".md"):
            targets = (target_of(path, link) for link in LINK.findall((ROOT / path).read_text(encoding="utf-8")))
            waiting += [target for target in targets if (ROOT / target).exists()]
    return files


def on_page_markdown(markdown, page, config, files):
    """Let links of the checkout lead to pages of the site; those to nowhere stay, and MkDocs names them."""
    place = page.file.src_uri
    path = START if place == "index.md" else place if page.file.generated_by else f"docs/{place}"

    def changed(found):
        target = target_of(path, found[0])
        if not (ROOT / target).exists():
            return found[0]
        return os.path.relpath(page_of(target), os.path.dirname(place) or ".")

    return LINK.sub(changed, markdown) if path.endswith(".md") else markdown


def on_page_content(html, page, config, files):
    """Do the same for notebooks, of which MkDocs gets no Markdown."""
    if not page.file.src_uri.endswith(".ipynb"):
        return html

    def changed(found):
        target = files.get_file_from_path(page_of(target_of(f"docs/{page.file.src_uri}", found[0])))
        return target.url_relative_to(page.file) if target else found[0]

    return HREF.sub(changed, html)


def on_post_build(config):
    """Warn of each link within the site that leads nowhere."""
    site = Path(config.site_dir)
    texts = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html") if path.name != "404.html"}
    ids = {path: set(re.findall(r' id="?([^"\s>]+)', text)) for path, text in texts.items()}
    for page, text in texts.items():
        for link, anchor in set(re.findall(r'(?:href|src)="(?!\w+:|//)([^"#]*)(?:#([^"]*))?"', text)):
            target = Path(os.path.normpath(page.parent / unquote(link))) if link else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (anchor and target in ids and unquote(anchor) not in ids[target]):
                logging.getLogger("mkdocs.hooks").warning(f"{page.relative_to(site)}: dead link {link}#{anchor}")


def target_of(path, link):
    """Return what a link of a file leads to, both from the checkout's root."""
    return os.path.normpath(os.path.join(os.path.dirname(path), link))


def page_of(path):
    """Return the place on the site, from docs/, of a file or folder of the checkout."""
    inside = path.removeprefix("docs/")
    if path == START:
        return "index.md"
    if (ROOT / path).is_dir():
        return f"{inside}/index.md"
    if path.startswith("docs/") or path.endswith(".md"):
        return inside
    return f"{inside}.md"


def text_of(path):
    """Return the page of a file or folder of the checkout that docs/ does not hold."""
    file = ROOT / path
    if file.is_dir():
        inside = sorted(child.relative_to(file) for child in file.rglob("*") if child.is_file())
        return f"# {path}\n\n" + "".join(f"- [{child}]({child})\n" for child in inside)
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        return text
    return f"# {file.name}\n\n```{LANGUAGES.get(file.suffix, 'text')}\n{text}\n```\n"
