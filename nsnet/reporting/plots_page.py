"""The page that `dvc plots show` fills: DVC's own loads its scripts from another host, this one has them."""

from __future__ import annotations

import vl_convert

# What DVC fills in (dvc_render/html.py). It has addresses of scripts for a third placeholder, which is not here.
PLOTS, REFRESH = "{plot_divs}", "{refresh_tag}"
# Vega itself, and no link to an editor elsewhere.
SNIPPET = """
const actions = { export: true, source: false, compiled: false, editor: false };
window.vegaEmbed = (place, spec) => vegaEmbed(place, spec, { actions, renderer: "svg" });
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%s">
%s
<title>nsnet plots</title>
<style>
body { font-family: sans-serif; margin: 1rem }
body > div { margin-bottom: 2rem }
img { max-width: 100%% }
</style>
<script>%s</script>
</head>
<body>
%s
</body>
</html>
"""
# Pictures lie beside the page; nothing else may be loaded, from wherever.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src 'self' file: data: blob:"
)


def plots_page() -> str:
    """The page, with DVC's placeholders; the same version of vl-convert gives the same text."""
    bundle = vl_convert.javascript_bundle(SNIPPET).replace("</script", "<\\/script")
    return PAGE % (POLICY, REFRESH, bundle, PLOTS)
