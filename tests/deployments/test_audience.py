"""What a stand-in of Slack heard is shown as Slack would show it."""

import pytest

from deployments.observe.audience import read_marks


@pytest.mark.parametrize(
    ("line", "shown", "styles"),
    [
        ("🔴 *PAR 90*  6.08 %  _critical_", "🔴 PAR 90  6.08 %  critical", ["bold", "italic"]),
        ("portfolio `demo` · ref `e3907e87`", "portfolio demo · ref e3907e87", ["cyan", "cyan"]),
        ("run_id of par_90 and 2 * 3 * 4", "run_id of par_90 and 2 * 3 * 4", []),
        ("[bold]no markup of ours[/]", "[bold]no markup of ours[/]", []),
        ("", "", []),
    ],
)
def test_marks_of_slack_become_styles_and_other_text_stays(line, shown, styles):
    text = read_marks(line)

    assert text.plain == shown
    assert [span.style for span in text.spans] == styles
