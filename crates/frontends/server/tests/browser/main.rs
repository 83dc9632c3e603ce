//! The live view in a browser: each button does what it says, and what the page shows is what the server says.
//!
//! `LOGLADDER_SHOTS=FOLDER` keeps a picture of each page there, for somebody to look at.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(clippy::print_stderr, reason = "what is not tested is said aloud")]

mod driver;
#[path = "../harness/mod.rs"]
mod harness;

use driver::{Browser, ENTER, TAB};
use harness::{Running, options, serve};
use logladder::SyncPolicy;
use logladder_server::{CrashableStore, Token, View};
use serde_json::Value;

struct Page<'b> {
    server: Running,
    browser: &'b Browser,
}

/// The page over a temporary store of the stage, when it shows the newest step.
fn page<'b>(browser: &'b Browser, stage: &str) -> Page<'b> {
    let store = CrashableStore::new(logladder::stage(stage).unwrap(), SyncPolicy::Never).unwrap();
    store.write_samples().unwrap();
    let mut options = options();
    options.view = Some(View::of_crashable(&store));
    let server = serve(Box::new(store), options, tempfile::tempdir().unwrap());
    browser.open(&format!("http://{}/view", server.address));
    let page = Page { server, browser };
    page.catches_up();
    page
}

impl Page<'_> {
    fn newest(&self) -> Value {
        serde_json::from_slice(&self.server.get("/view/layout").body).unwrap()
    }

    /// Waits until the page shows the newest step, and is ready for the next button.
    fn catches_up(&self) {
        let is_there = || {
            let step = self.newest();
            let where_it_is = format!("Step {0} of {0}", step["number"]);
            let ready = "return document.getElementById('said').textContent.endsWith('…') ? '' : \
                         document.getElementById('where').textContent";
            self.browser.text(ready) == where_it_is
        };
        assert!(harness::in_the_end(is_there), "{}", self.browser.text("return document.body.innerText"));
        let step = self.newest();
        assert_eq!(self.text("what"), step["what"].as_str().unwrap());
    }

    fn text(&self, id: &str) -> String {
        self.browser.text(&format!("return document.getElementById('{id}').textContent"))
    }

    /// Clicks on a button, and waits for a step that says so.
    fn click(&self, id: &str, says: &str) {
        let before = self.newest()["number"].as_u64().unwrap();
        self.browser.click(&format!("#{id}"));
        assert!(harness::in_the_end(|| self.newest()["number"].as_u64().unwrap() > before), "{id}");
        self.catches_up();
        assert!(self.text("what").contains(says), "{id}: {}", self.text("what"));
        assert!(self.text("said").contains(says), "{id}: {}", self.text("said"));
        self.is_right();
    }

    /// That the page shows what the server says of the newest step.
    fn is_right(&self) {
        let step = self.newest();
        let layout = &step["layout"];
        let shown = |script: &str| {
            let all = self.browser.script(script);
            all.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let places = layout["places"].as_array().unwrap();
        let mut expected: Vec<String> =
            places.iter().map(|place| place["key"].as_str().unwrap().to_owned()).collect();
        if step["is_open"] == false {
            expected.clear();
        }
        let keys = shown("return [...document.querySelectorAll('.chip b')].map((one) => one.textContent)");
        assert_eq!(keys, expected);
        let runs: Vec<String> = layout["files"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|file| file["is_log"] == true)
            .flat_map(|file| {
                let (name, records) = (file["name"].as_str().unwrap(), file["records"].as_array().unwrap());
                records
                    .iter()
                    .filter(|run| run["class"] != "reserve")
                    .map(move |run| format!("{name}@{} {}", run["at"], run["class"].as_str().unwrap()))
            })
            .collect();
        let drawn = shown(
            "return [...document.querySelectorAll('[data-place]')]\
             .map((one) => `${one.dataset.place} ${one.dataset.look}`)",
        );
        assert_eq!(drawn, runs);
        // Each arrow ends above or below the middle of its record.
        let astray = self.browser.script(
            "const astray = [];\
             const board = document.getElementById('board').getBoundingClientRect();\
             for (const arrow of document.querySelectorAll('.arrow')) {\
               const end = arrow.getPointAtLength(arrow.getTotalLength());\
               const drawn = [...document.querySelectorAll('[data-place]')].filter((one) => {\
                 const box = one.querySelector('rect').getBoundingClientRect();\
                 const x = end.x + board.left, y = end.y + board.top;\
                 return one.dataset.look === 'live' && x > box.left - 1 && x < box.right + 1 &&\
                   y > box.top - 4 && y < box.bottom + 4;\
               });\
               if (!drawn.some((one) => one.dataset.ids.includes(`live:${arrow.dataset.key}`))) astray.push(arrow.dataset.key);\
             }\
             return astray",
        );
        assert_eq!(astray, Value::Array(Vec::new()), "arrows that end elsewhere");
        let arrows = self.browser.script("return document.querySelectorAll('.arrow').length");
        assert_eq!(arrows.as_u64().unwrap(), expected.len() as u64);
        let fields =
            shown("return [...document.querySelectorAll('#fields tbody th')].map((one) => one.textContent)");
        let named: Vec<String> = layout["newest"]["fields"]
            .as_array()
            .map(|fields| fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect())
            .unwrap_or_default();
        assert_eq!(fields, named);
    }

    /// Leaves the page before its server ends. Nothing has been complained about in the console.
    fn leave(self) {
        assert_eq!(self.browser.errors(), Vec::<String>::new(), "the console");
        self.browser.open("about:blank");
        // What broke off by that.
        self.browser.errors();
    }

    /// Looks at the page in both widths, by day and by night.
    fn is_fit_to_look_at(&self, name: &str) {
        for (width, is_dark) in [(1280, false), (1280, true), (400, false), (400, true)] {
            self.browser.look_like(width, is_dark, true);
            // It is drawn anew for the other width a moment later.
            let wide =
                || self.browser.script("return document.documentElement.scrollWidth").as_u64().unwrap();
            let fits = harness::in_the_end(|| wide() <= u64::from(width));
            assert!(fits, "{name}: {} pixels wide on a screen of {width}", wide());
            if let Some(folder) = std::env::var_os("LOGLADDER_SHOTS") {
                let scheme = if is_dark { "dark" } else { "light" };
                let path = std::path::Path::new(&folder).join(format!("{name}-{width}-{scheme}.png"));
                #[allow(clippy::disallowed_methods, reason = "a picture for somebody to look at")]
                std::fs::write(path, self.browser.picture()).unwrap();
            }
        }
        self.browser.look_like(1280, false, true);
    }
}

#[test]
fn every_button_does_what_it_says_and_the_page_shows_what_the_server_has() {
    let Some(browser) = Browser::start() else { return };
    browser.look_like(1280, false, true);
    for stage in ["hash-log", "replay-log", "scan-log", "sorted-log"] {
        let page = page(&browser, stage);
        page.is_right();
        page.is_fit_to_look_at(stage);
        page.click("set", "set fish = hilsa");
        assert_eq!(page.server.get("/v1/keys/fish").body, b"hilsa");
        page.click("overwrite", "set fish = hilsa 2");
        assert_eq!(page.server.get("/v1/keys/fish").body, b"hilsa 2");
        browser.click(".chip[data-key=river]");
        page.click("overwrite", "set river = Meghna 2");
        page.click("delete", "delete river");
        assert_eq!(page.server.get("/v1/keys/river").status, 404);
        page.click("sync", "sync");
        page.click("set", "set fruit = jackfruit");
        if stage == "scan-log" {
            assert_eq!(browser.script("return document.getElementById('compact').disabled"), true);
        } else {
            page.click("compact", "compact: ");
            page.is_fit_to_look_at(&format!("{stage}-compacted"));
        }
        page.click("kill", "the process is killed");
        assert_eq!(page.newest()["is_open"], false);
        page.click("reopen", "opened again");
        assert_eq!(page.server.get("/v1/keys/fruit").body, b"jackfruit");
        page.click("sync", "sync");
        page.click("set", "set game = kabaddi");
        page.click("power", "the power is lost");
        page.is_fit_to_look_at(&format!("{stage}-crashed"));
        page.click("reopen", "opened again");
        assert_eq!(page.server.get("/v1/keys/game").status, 404);
        assert_eq!(page.server.get("/v1/keys/fruit").body, b"jackfruit");
        walk_back_and_forward(&page);
        page.leave();
    }
}

fn walk_back_and_forward(page: &Page<'_>) {
    let last = page.newest()["number"].as_u64().unwrap();
    let shown = || page.text("where");
    page.browser.click("#back");
    assert_eq!(shown(), format!("Step {} of {last}", last - 1));
    assert!(page.text("said").starts_with(&format!("Step {} of {last}", last - 1)));
    assert!(!page.browser.script("return document.getElementById('past').hidden").as_bool().unwrap());
    page.browser.click("#first");
    assert_eq!(shown(), format!("Step 1 of {last}"));
    assert_eq!(page.text("what"), "the store is made");
    page.browser.click("#forward");
    assert_eq!(shown(), format!("Step 2 of {last}"));
    assert_eq!(page.text("what"), "set river = Padma");
    page.browser.click("#newest-step");
    assert_eq!(shown(), format!("Step {last} of {last}"));
    page.is_right();
}

#[test]
fn the_keyboard_alone_reaches_every_button_and_shows_where_it_is() {
    let Some(browser) = Browser::start() else { return };
    browser.look_like(1280, false, true);
    let page = page(&browser, "hash-log");
    // What can be used now, in the order of the page.
    let usable = browser.script(
        "return [...document.querySelectorAll('a.skip, button:enabled, input:enabled')]\
         .filter((one) => one.classList.contains('skip') || one.offsetParent).length",
    );
    let mut reached = Vec::new();
    for _ in 0..usable.as_u64().unwrap() {
        browser.press(TAB);
        let focused = browser.text(
            "const one = document.activeElement; const style = getComputedStyle(one);\
             return `${one.id || one.dataset.key || one.className} ${one.matches(':focus-visible')} ${style.outlineStyle}`",
        );
        let (name, look) = focused.split_once(' ').unwrap();
        assert_eq!(look, "true solid", "{name} shows that it has the focus");
        reached.push(name.to_owned());
    }
    for name in [
        "skip",
        "first",
        "back",
        "city",
        "key",
        "value",
        "set",
        "overwrite",
        "delete",
        "sync",
        "compact",
        "kill",
        "power",
        "reopen",
    ] {
        assert!(reached.iter().any(|other| other == name), "{name} among {reached:?}");
    }
    browser.script("document.getElementById('set').focus()");
    let before = page.newest()["number"].as_u64().unwrap();
    browser.press(ENTER);
    assert!(harness::in_the_end(|| page.newest()["number"].as_u64().unwrap() > before));
    page.catches_up();
    assert_eq!(page.text("what"), "set fish = hilsa");
    let focused = || browser.text("return document.activeElement.id");
    assert!(harness::in_the_end(|| focused() == "set"), "the focus stays: {}", focused());
    let role = browser.text("return document.getElementById('said').getAttribute('role')");
    assert_eq!(role, "status");
    page.leave();
}

#[test]
fn a_stage_without_a_log_is_explained_and_a_token_is_asked_for() {
    let Some(browser) = Browser::start() else { return };
    browser.look_like(1280, false, true);
    for stage in ["memory", "json-file", "write-behind"] {
        let page = page(&browser, stage);
        assert!(page.text("arrows-mean").contains("keeps no log"), "{}", page.text("arrows-mean"));
        page.is_fit_to_look_at(stage);
        page.click("set", "set ");
        page.leave();
    }
    let store = CrashableStore::new(logladder::stage("hash-log").unwrap(), SyncPolicy::Never).unwrap();
    let mut options = options();
    options.token = Token::new("secret");
    options.view = Some(View::of_crashable(&store));
    let server = serve(Box::new(store), options, tempfile::tempdir().unwrap());
    browser.open(&format!("http://{}/view", server.address));
    let asks = || browser.script("return !document.getElementById('ask').hidden") == true;
    assert!(harness::in_the_end(asks));
    browser.script("document.getElementById('token').value = 'secret'");
    browser.click("#ask button");
    let shows = || browser.text("return document.getElementById('where').textContent") == "Step 1 of 1";
    assert!(harness::in_the_end(shows), "{}", browser.text("return document.body.innerText"));
}
