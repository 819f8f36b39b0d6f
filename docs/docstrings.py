"""What mkdocstrings reads otherwise in docstrings of this house: prose that stands behind the parameters."""

import re

from griffe import Extension

PARAMETERS = re.compile(r"^Parameters\n-+\n(?:.+\n?)+(?:\n(?!.+\n-+\n).+\n?(?:.+\n?)*)*", re.MULTILINE)


class ProseFirst(Extension):
    """Moves paragraphs at the end of a list of parameters before it: a parser would take each line for one."""

    def on_object(self, *, obj, **options):
        if obj.docstring:
            obj.docstring.value = PARAMETERS.sub(_prose_first, obj.docstring.value)


def _prose_first(found):
    listed, *others = found[0].rstrip().split("\n\n")
    prose = [paragraph for paragraph in others if not re.search(r"^ ", paragraph, re.MULTILINE)]
    listed = [listed, *(paragraph for paragraph in others if paragraph not in prose)]
    return "\n\n".join([*prose, *listed]) + "\n\n"
