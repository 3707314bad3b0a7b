"""The report and its figures, one set a study: `figures.py core|full|STUDY ... [--results DIR] [--pages DIR]`."""

import argparse
import sys
from pathlib import Path

from design import CHECKOUT, RESULTS, read_design
from exponents import STUDY, exponent_figures

from gmpo_verl import report
from gmpo_verl.reporting.export import export_figures


def main(arguments: list[str] | None = None) -> int:
    """Writes a page and figures for every study that has runs; returns the first exit code that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="+")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--pages", type=Path, default=CHECKOUT / "outputs" / "stability")
    options, design = parser.parse_args(arguments), read_design()
    for name in dict.fromkeys(name for word in options.what for name in design.sizes.get(word, (word,))):
        runs = [options.results / "runs" / run.name for run in design.runs([design.studies[name]])]
        done = [str(folder) for folder in runs if (folder / "run.json").is_file()]
        page, figures = options.pages / f"{name}.html", options.results / "figures" / name
        if done and (code := report.main([*done, "--samples=0", f"--out={page}", f"--figures={figures}"])):
            return code
        if name == STUDY:
            export_figures(exponent_figures(design.studies[name], options.results), figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
