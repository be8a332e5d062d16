#!/usr/bin/python3
"""The page of fulmard in a real browser: `./dev test page`. Its last line: `N passed, N failed, N skipped`."""

import json
import os
import pathlib
import sys
import time
import unittest
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.chrome.service import Service

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from canned import Canned  # noqa: E402  (needs the path above)
from fulmard import NQN, TOKEN, Fulmard  # noqa: E402

SECONDS = 60  # for anything to be seen: the page itself waits for 15 at most
DRIVER = "/usr/bin/chromedriver"
MARKUP = "<img src=x onerror=document.title='taken'>"
PICTURES = os.environ.get("FULMAR_PAGE_PICTURES", "")  # a folder: pictures of what is tested


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--window-size=1200,900",
                 "--no-sandbox"]  # root in a container has none; it loads nothing but what we serve
    for argument in arguments:
        options.add_argument(argument)
    options.set_capability("acceptInsecureCerts", True)  # of the fulmard that has one of its own making
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service(DRIVER), options=options)


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()

    def setUp(self):
        self.browser.get("about:blank")
        self.browser.get_log("browser")
        self.browser.get_log("performance")

    def until(self, what, condition):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except Exception as problem:  # pylint: disable=broad-except  (the page is being built)
                what = f"{what} ({type(problem).__name__})"
            time.sleep(0.1)
        self.fail(f"waited for: {what}; the page says: {self.text('body')}")

    def text(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector).text

    def sees(self, words, selector="main"):
        self.until(f"'{words}' in {selector}", lambda: words in self.text(selector))

    def sees_no_more(self, words, selector="main"):
        self.until(f"no '{words}' in {selector}", lambda: words not in self.text(selector))

    def sign_in(self, token):
        self.until("the question for the token", lambda: self.browser.find_element(By.ID, "token").is_displayed())
        self.browser.find_element(By.ID, "token").send_keys(token)
        self.browser.find_element(By.CSS_SELECTOR, "#sign-in button").click()

    def picture(self, name):
        if PICTURES:
            self.browser.save_screenshot(f"{PICTURES}/{name}.png")

    def requests(self):
        """The addresses that were asked since the last time."""
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def expect_quiet_console(self, *but):
        for entry in self.browser.get_log("browser"):
            self.assertTrue(any(words in entry["message"] for words in but), entry["message"])


class FulmardOverTls(PageTest):
    """What a role sees: the page only looks, so that a viewer sees all of it."""

    def setUp(self):
        super().setUp()
        self.fulmard = Fulmard(tls=True)
        self.addCleanup(self.fulmard.close)
        self.fulmard.start()
        self.browser.get(self.fulmard.url)
        self.browser.execute_script("sessionStorage.clear()")
        self.browser.refresh()

    def test_a_viewer_and_an_administrator_see_what_is_there(self):
        for name, role in (("v", "viewer"), ("o", "operator"), ("a", "admin")):
            with self.subTest(role=role):
                token = self.fulmard.make_token(name, role)
                self.sign_in(token)
                self.sees(NQN, "#subsystems")
                self.sees("ram1", "#devices")
                self.sees("● ok", "#health")
                self.browser.execute_script("sessionStorage.clear()")
                self.browser.refresh()
        for address in self.requests():
            self.assertIn(urlsplit(address).hostname, ("127.0.0.1", None), address)

    def test_who_may_only_scrape_is_told_so(self):
        self.sign_in(self.fulmard.make_token("m", "metrics"))
        self.sees("token m has the role metrics", "#notice")
        self.sees("needs viewer", "#notice")

    def test_a_token_that_is_revoked_is_asked_for_again(self):
        self.sign_in(self.fulmard.make_token("v", "viewer"))
        self.sees(NQN, "#subsystems")
        self.assertEqual(self.fulmard.ask("DELETE", "/v1/tokens/v"), 204)
        self.until("the question for the token", lambda: self.browser.find_element(By.ID, "token").is_displayed())


class RealFulmard(PageTest):
    def setUp(self):
        super().setUp()
        self.fulmard = Fulmard()
        self.addCleanup(self.fulmard.close)
        self.fulmard.start()
        self.browser.get(self.fulmard.url)
        self.browser.execute_script("sessionStorage.clear()")
        self.browser.refresh()

    def test_it_asks_for_the_token_and_shows_what_is_there(self):
        self.sign_in("not-the-token-of-this-fulmard")
        self.sees("does not accept this token", "#notice")
        self.assertFalse(self.browser.find_element(By.ID, "main").is_displayed())
        self.sign_in(TOKEN)
        self.sees(NQN, "#subsystems")
        self.sees("● ok", "#health")
        self.assertFalse(self.browser.find_element(By.ID, "sign-in").is_displayed())
        self.sees(f"Subsystem {NQN}-paused is paused.", "#attention")
        self.sees("ram1", "#devices")
        self.sees("tcp:127.0.0.1:", "#listeners")
        self.sees("No host is connected.", "#connections")
        self.picture("fulmard")
        for address in self.requests():
            self.assertIn(urlsplit(address).hostname, ("127.0.0.1", None), address)
        self.expect_quiet_console("401")

    def test_its_links_work_with_the_token_and_its_title_names_the_machine(self):
        self.sign_in(TOKEN)
        self.sees(NQN, "#subsystems")
        self.assertEqual(self.browser.title, "fulmard on " + os.uname().nodename)
        self.browser.find_element(By.CSS_SELECTOR, 'footer a[href="/metrics"]').click()
        self.sees("fulmar_connections_total", "body")
        self.browser.back()
        self.sees(NQN, "#subsystems")
        self.browser.find_element(By.CSS_SELECTOR, 'footer a[href="/v1/openapi.json"]').click()
        self.sees("operationId", "body")

    def test_a_link_may_bring_the_token(self):
        self.browser.get("about:blank")
        self.browser.get(self.fulmard.url + "#token=" + TOKEN)
        self.sees(NQN, "#subsystems")
        self.assertEqual(self.browser.current_url, self.fulmard.url)
        self.browser.refresh()
        self.sees(NQN, "#subsystems")

    def test_a_change_is_seen_without_a_reload(self):
        self.sign_in(TOKEN)
        self.sees(NQN, "#subsystems")
        self.browser.execute_script("window.same = true")
        added = self.fulmard.ask("POST", f"/v1/subsystems/{NQN}/namespaces", {"nsid": 7, "device": "ram1"})
        self.assertEqual(added, 201)
        self.sees("32.0 MiB", "#subsystems")
        self.assertEqual(self.fulmard.ask("POST", f"/v1/subsystems/{NQN}-paused/resume"), 200)
        self.sees_no_more("is paused")
        self.assertFalse(self.browser.find_element(By.ID, "attention").is_displayed())
        self.assertTrue(self.browser.execute_script("return window.same"))
        self.expect_quiet_console("401")

    def test_it_says_that_fulmard_is_gone_and_comes_back_with_it(self):
        self.sign_in(TOKEN)
        self.sees(NQN, "#subsystems")
        self.fulmard.stop()
        self.sees("fulmard does not answer.", "#notice")
        self.sees("no answer", "#health")
        self.assertIn("old", self.browser.find_element(By.TAG_NAME, "body").get_attribute("class"))
        self.assertIn(NQN, self.text("#subsystems"))
        self.fulmard.start()
        self.sees("● ok", "#health")
        self.assertFalse(self.browser.find_element(By.ID, "notice").is_displayed())
        self.expect_quiet_console("401", "ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE")


def health(**more):
    return {"status": "ok", "version": "1", "hostname": MARKUP, "uptime_ms": 90061000 + int(time.monotonic() * 1000),
            "revision": 5, "subsystems": 1, "namespaces": 1, "connections": 1, "hugepages": False,
            "reactors": [{"id": 0}], "durable": {"possible": True}, "memory_short": False,
            "waiting_listeners": [], "missing": [], "start_errors": [], **more}


def subsystem(state):
    return {"nqn": "nqn.2026-11.io.fulmar:canned", "serial": MARKUP, "model": "m", "allow_any_host": True, "hosts": [],
            "paused": False, "status": {"state": "active", "controllers": 1},
            "namespaces": [{"nsid": 1, "device": "drive11", "uuid": "u", "ana_state": "optimized", "on_loss": "fail", "visible_to": [],
                            "status": {"state": state, "block_count": 2048, "block_size": 512,
                                       "outstanding": 0, "parked": 3}}]}


def drive(state, history):
    return {"address": "0000:0b:00.0", "present": True, "allowed": True, "slot": "11", "driver": "vfio-pci", "iommu_group": 14,
            "users": [], "disks": [], "identity": {"serial": "S4EW", "model": MARKUP},
            "device": {"name": "drive11", "names": ["drive11"], "state": state, "in_state_ms": 1, "detached": False,
                       "losses": 1, "reason": "the kernel asked for it" if state == "lost" else ""},
            "history": history}


def connection(commands):
    return {"id": 1, "transport": "tcp", "peer": "127.0.0.1:4", "local": "127.0.0.1:3", "reactor": 0, "state": "live",
            "host": MARKUP, "subsystem": "nqn.2026-11.io.fulmar:canned", "cntlid": 1, "qid": 1, "outstanding": 2,
            "commands_total": commands, "bytes_read": commands * 4096, "bytes_written": 0}


class CannedAnswers(PageTest):
    def setUp(self):
        super().setUp()
        self.canned = Canned({
            "/v1/health": health,
            "/v1/subsystems": {"subsystems": [subsystem("ready")]},
            "/v1/devices": {"devices": [{"name": "drive11", "type": "pcie", "size": 1 << 40, "block_size": 512,
                                         "status": {"state": "ready", "used_by": MARKUP, "block_count": 1 << 31}}]},
            "/v1/listeners": {"listeners": []},
            "/v1/drives": {"drives": [drive("ready", [])]},
            "/v1/connections": {"connections": [connection(0)]},
        })
        self.addCleanup(self.canned.close)
        self.addCleanup(self.browser.get, "about:blank")  # first: nobody asks any more
        self.browser.get(self.canned.url)
        self.sees("● ready", "#drives")

    def test_a_drive_that_is_lost_is_seen_at_once(self):
        self.assertFalse(self.browser.find_element(By.ID, "attention").is_displayed())
        lost = {"time": "2026-11-23T06:00:00.000Z", "event": "lost", "cause": "removal-requested",
                "address": "0000:0b:00.0", "device": "drive11", "detail": "the kernel asked for it"}
        self.canned.answers["/v1/drives"] = {"drives": [drive("lost", [{"sequence": 1, **lost}])]}
        self.canned.answers["/v1/subsystems"] = {"subsystems": [subsystem("lost")]}
        self.canned.happen(**lost)
        self.sees("▲ lost", "#events")
        self.sees("▲ lost", "#drives")
        self.sees("Namespace 1 of nqn.2026-11.io.fulmar:canned is lost", "#attention")
        self.browser.find_element(By.CSS_SELECTOR, "#drives summary").click()
        self.sees("lost: removal-requested (the kernel asked for it)", "#drives")
        self.picture("lost")
        self.expect_quiet_console()

    def test_names_are_text_whatever_is_in_them(self):
        self.sees(MARKUP, "#connections")
        self.sees(MARKUP, "#drives")
        self.sees(MARKUP, "#devices")
        self.sees(MARKUP, "#subsystems")
        self.sees("nobody", "#subsystems")
        self.assertEqual(self.browser.find_elements(By.TAG_NAME, "img"), [])
        self.assertEqual(self.browser.title, "fulmard on " + MARKUP)
        self.expect_quiet_console()

    def test_it_tells_the_load(self):
        self.sees("0 commands/s", "#rate")
        self.canned.answers["/v1/connections"] = {"connections": [connection(3_000_000)]}
        self.sees("GiB/s read", "#rate")
        points = self.browser.find_element(By.CSS_SELECTOR, "#graph polyline").get_attribute("points")
        self.assertGreaterEqual(len(points.split()), 2)

    def test_what_is_counted_is_as_fresh_as_the_load(self):
        self.sees("0 commands/s", "#rate")
        busy = subsystem("ready")
        busy["namespaces"][0]["status"]["outstanding"] = 77
        busy["status"]["controllers"] = 42
        self.canned.answers["/v1/subsystems"] = {"subsystems": [busy]}
        before = self.canned.asked.count("/v1/connections")
        self.sees("77", "#subsystems")
        self.sees("42 controllers", "#subsystems")
        self.assertLessEqual(self.canned.asked.count("/v1/connections") - before, 2)

    def test_it_asks_about_once_a_second_and_not_at_all_when_nobody_looks(self):
        begun, before = time.monotonic(), len(self.canned.asked)
        self.until("some more answers", lambda: self.canned.asked.count("/v1/health") >= 5)
        rate = (len(self.canned.asked) - before - self.canned.asked[before:].count("/v1/events")) / (time.monotonic() - begun)
        self.assertLess(rate, 2)
        self.browser.execute_script(
            "Object.defineProperty(document, 'visibilityState', {get: () => window.seen ?? 'hidden'});"
            "document.dispatchEvent(new Event('visibilitychange'));")
        # What is under way ends; then there is silence for longer than between any two looks.
        silent_since, asked = time.monotonic(), len(self.canned.asked)
        end = time.monotonic() + SECONDS
        while time.monotonic() - silent_since < 8:
            self.assertLess(time.monotonic(), end, "it goes on asking")
            if len(self.canned.asked) != asked:
                silent_since, asked = time.monotonic(), len(self.canned.asked)
            time.sleep(0.1)
        self.browser.execute_script(
            "window.seen = 'visible'; document.dispatchEvent(new Event('visibilitychange'));")
        self.until("it looks again", lambda: len(self.canned.asked) > asked)

    def test_who_holds_a_reservation_and_who_was_preempted_is_seen(self):
        held = subsystem("active")
        held["namespaces"][0]["status"].update(write_protection="write-protect", reservation={
            "type": "write-exclusive", "persistent": False, "generation": 3, "registrants": [
                {"host_id": "0" * 24 + "deadbeef", "key": "0x0000000000000001", "holds": True},
                {"host_id": "0" * 24 + "cafecafe", "key": "0x0000000000000002", "holds": False}]})
        self.canned.answers["/v1/subsystems"] = {"subsystems": [held]}
        self.canned.happen(time="2026-11-23T06:00:00.000Z", event="preempted", subsystem="nqn.2026-11.io.fulmar:canned",
                           nsid=1, host=MARKUP, detail="write-exclusive held, 1 registered")
        self.sees("preempted", "#events")
        self.sees("nqn.2026-11.io.fulmar:canned/1", "#events")
        self.sees("write-protect; write-exclusive by …deadbeef; 2 hosts registered", "#subsystems")

    def test_it_stays_polite_when_much_happens(self):
        begun, before = time.monotonic(), len(self.canned.asked)
        while time.monotonic() - begun < 8:
            self.canned.happen(time="2026-11-23T06:00:00.000Z", event="lost", address="0000:0b:00.0")
            time.sleep(0.1)
        rate = (len(self.canned.asked) - before) / (time.monotonic() - begun)
        self.assertLess(rate, 3)
        self.sees("▲ lost", "#events")

    def test_an_answer_that_it_does_not_understand_is_not_silence(self):
        answer = health()
        del answer["durable"]
        answer["revision"] = 6
        self.canned.answers["/v1/health"] = answer
        self.sees("Trying again", "#notice")
        self.assertNotIn("does not answer", self.text("#notice"))
        self.assertTrue(any(entry["level"] == "SEVERE" for entry in self.browser.get_log("browser")))
        self.canned.answers["/v1/health"] = health
        self.sees("● ok", "#health")

    def test_it_fits_a_telephone_and_the_dark(self):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                     {"width": 380, "height": 800, "deviceScaleFactor": 2, "mobile": True})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                     {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {})
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.setEmulatedMedia", {"features": []})
        self.sees("● ready", "#drives")
        self.canned.answers["/v1/drives"] = {"drives": [drive("lost", [])]}
        wrong = subsystem("ready")
        wrong["namespaces"][0]["ana_state"] = "inaccessible"
        self.canned.answers["/v1/subsystems"] = {"subsystems": [wrong]}
        self.canned.answers["/v1/listeners"] = {"listeners": [
            {"name": "rdma:192.0.2.1:4420", "status": {"connections": 0, "accepted_total": 0, "rejected_total": 0,
                                                       "waits_for": "the address is not there"}}]}
        for words, where in (("the kernel asked for it", "#drives"), ("▲ inaccessible", "#subsystems"),
                             ("the address is not there", "#listeners")):
            self.sees(words, where)  # text of what is hidden is not seen
            for cell in self.browser.find_elements(By.CSS_SELECTOR, where + " td"):
                if words in cell.text:
                    self.assertLessEqual(cell.rect["x"] + cell.rect["width"], 380, words)
        self.sees("Nobody can connect at rdma:192.0.2.1:4420", "#attention")
        self.picture("narrow")
        width = self.browser.execute_script("return document.documentElement.scrollWidth")
        self.assertLessEqual(width, 380, "the page itself does not scroll sideways")
        dark = self.browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        self.assertEqual(dark, "rgb(20, 24, 30)")


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    for case, reason in result.skipped:
        print(f"SKIP {case}: {reason}")
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
