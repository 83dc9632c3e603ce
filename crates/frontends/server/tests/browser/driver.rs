//! A browser without a window, told what to do over the WebDriver protocol (W3C), which is JSON over HTTP.
//!
//! Half of what the tests ask for is chromedriver's own: the console, the colour scheme, the width of a phone.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// What keys are called in that protocol.
pub(crate) const TAB: &str = "\u{E004}";
pub(crate) const ENTER: &str = "\u{E007}";

pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    base: String,
    /// Removed when it ends.
    profile: tempfile::TempDir,
}

impl Browser {
    /// Starts Chromium, or says aloud that it is not there.
    pub(crate) fn start() -> Option<Self> {
        let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if !has("chromium") || !has("chromedriver") {
            eprintln!(
                "not tested: the live view in a browser, because there is no Chromium; to have it, as root: \
                 `apt-get update && apt-get install chromium chromium-driver`"
            );
            return None;
        }
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(driver.stdout.take().unwrap());
        let mut lines = said.lines().map(Result::unwrap);
        let port = lines
            .find_map(|line| {
                line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
            })
            .unwrap();
        // It is read to its end, so that the driver never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(1)))
            .build()
            .new_agent();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self { driver, agent, base: format!("http://127.0.0.1:{port}"), profile };
        let folder = format!("--user-data-dir={}", browser.profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &folder,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = browser.call("POST", "/session", &wanted);
        browser.base = format!("{}/session/{}", browser.base, session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json");
        let answer = match method {
            "POST" => self.agent.run(request.body(body.to_string()).unwrap()),
            _ => self.agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap();
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        let mut said: Value = serde_json::from_str(&text).unwrap();
        assert!(status.is_success(), "{method} {path}: {said}");
        said["value"].take()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, body)
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// What the script gives back.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The same as text.
    pub(crate) fn text(&self, script: &str) -> String {
        self.script(script).as_str().unwrap_or_default().to_owned()
    }

    /// Clicks as a hand does: on what can be seen there.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        self.post(&format!("/element/{}/click", id(&element)), &json!({}));
    }

    /// Presses a key where the focus is.
    pub(crate) fn press(&self, key: &str) {
        let actions = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        self.post("/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }));
    }

    fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Makes the page so wide, in CSS pixels, by day or by night, with motion or without.
    pub(crate) fn look_like(&self, width: u32, is_dark: bool, is_calm: bool) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.chromium("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if is_dark { "dark" } else { "light" };
        let motion = if is_calm { "reduce" } else { "no-preference" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": motion },
        ]);
        self.chromium("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// The whole page as a PNG.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let height = self.script("return document.documentElement.scrollHeight");
        let width = self.script("return innerWidth");
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let parameters = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let shot = self.chromium("Page.captureScreenshot", &parameters);
        data_encoding::BASE64.decode(shot["data"].as_str().unwrap().as_bytes()).unwrap()
    }

    /// The errors in the console since the last call.
    pub(crate) fn errors(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let is_bad = |line: &&Value| line["level"] == "SEVERE" || line["level"] == "WARNING";
        log.as_array().unwrap().iter().filter(is_bad).map(ToString::to_string).collect()
    }
}

fn id(element: &Value) -> String {
    element.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
}

impl Drop for Browser {
    fn drop(&mut self) {
        let request = ureq::http::Request::builder().method("DELETE").uri(&self.base).body(()).unwrap();
        // It ends with its driver at the latest.
        let _ = self.agent.run(request);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
