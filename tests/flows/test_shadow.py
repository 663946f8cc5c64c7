"""The shadow flow ends as NotReady before a day is covered; that is no failure."""


def test_the_flow_shows_the_page_and_says_what_is_missing(prefect_server, tmp_path, monkeypatch):
    from flows.shadow import shadow

    monkeypatch.setenv("PIPELINE_ENV", "development")
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(tmp_path))

    state = shadow(return_state=True)

    assert (state.type.value, state.name) == ("COMPLETED", "NotReady")
    assert "no shadow run has a run beside it" in state.message
    [page] = (tmp_path / "logs/shadow").iterdir()
    assert "not ready for the cutover" in page.read_text()
