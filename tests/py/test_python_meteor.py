"""`python-meteor`, a client with threads and callbacks. It raises on a change of an unknown document."""

import logging
import unittest
import warnings
from datetime import datetime, timezone
from queue import Queue

from authenticator import code_at
from DDPClient import DDPClient
from MeteorClient import MeteorClient
from server import Server

PATIENCE = 5


def setUpModule():
    """Silences the log of ws4py when it closes a socket that it is reading."""
    logging.getLogger("ws4py").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore", ResourceWarning)


class Client:
    """A `MeteorClient` that waits for its callbacks."""

    def __init__(self, url):
        self.events = Queue()
        self.meteor = MeteorClient(url, auto_reconnect=False)
        for event in ["connected", "added", "changed", "removed"]:
            self.meteor.on(event, lambda *what, event=event: self.events.put((event, *what)))
        self.meteor.connect()
        self.events.get(timeout=PATIENCE)

    def answer(self, method, *params):
        """Returns (error, result)."""
        return self.answers((method, *params))[0]

    def answers(self, *calls):
        answers = Queue()
        for method, *params in calls:
            self.meteor.call(method, params, lambda *answer: answers.put(answer))
        return [answers.get(timeout=PATIENCE) for _ in calls]

    def call(self, method, *params):
        error, result = self.answer(method, *params)
        if error:
            raise AssertionError(f"{method} failed: {error}")
        return result

    def log_in(self, user, password, token=None):
        answers = Queue()
        self.meteor.login(user, password.encode(), token, lambda *answer: answers.put(answer))
        error, login = answers.get(timeout=PATIENCE)
        if error:
            raise AssertionError(f"the login failed: {error}")
        return login

    def subscribe(self, name, *params):
        """Returns the reason why the subscription failed, or None."""
        ready = Queue()
        self.meteor.subscribe(name, params, ready.put)
        return ready.get(timeout=PATIENCE)

    def documents(self, collection):
        return self.meteor.collection_data.data.get(collection, {})


class PythonMeteor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.client = self.connected(self.server)

    def connected(self, server):
        client = Client(server.url)
        self.addCleanup(client.meteor.close)
        return client

    def test_a_call_returns_its_result(self):
        self.assertEqual(self.client.call("add", 2, 3), 5)

    def test_a_method_that_does_not_exist_fails_with_the_number_404(self):
        error, _ = self.client.answer("noSuchMethod")
        self.assertEqual(error["error"], 404)
        self.assertEqual(error["message"], "Method 'noSuchMethod' not found [404]")

    def test_falsy_results_are_returned_unchanged(self):
        for value in [0, "", False, None, [], {}]:
            self.assertEqual(self.client.call("echo", value), value)

    def test_dates_are_returned_as_dates(self):
        leap_day, old_day = datetime(2024, 2, 29, 12, 30, 15, tzinfo=timezone.utc), datetime(1969, 12, 31, tzinfo=timezone.utc)
        value = {"at": leap_day, "list": [old_day]}
        self.assertEqual(self.client.call("echo", value), value)

    def test_500_calls_sent_at_once_are_answered_in_order(self):
        answers = self.client.answers(*(("echo", number) for number in range(500)))
        self.assertEqual(answers, [(None, number) for number in range(500)])

    def test_300_kb_are_returned_completely(self):
        text = "ein Stück Text, das länger ist als es sein müsste " * 6000
        self.assertEqual(self.client.call("echo", text), text)

    def test_json_30_levels_deep_is_returned_unchanged(self):
        deep = "the bottom"
        for _ in range(15):
            deep = {"inner": [deep]}
        self.assertEqual(self.client.call("echo", deep), deep)

    def test_a_gated_method_rejects_callers_without_a_login(self):
        error, _ = self.client.answer("transferFunds", {"to": "bob", "amount": 5})
        self.assertEqual(error["error"], "error-invalid-user")

    def test_a_gated_method_asks_a_user_for_a_second_factor(self):
        self.client.call("setUserId", "user-alice")
        error, _ = self.client.answer("transferFunds", {"to": "bob", "amount": 5})
        self.assertEqual(error["error"], "totp-required")
        self.assertIsInstance(error["details"]["method"], str)

    def test_a_login_sets_the_user_until_the_logout(self):
        login = self.client.log_in("alice@example.com", "correct horse")
        self.assertEqual((login["id"], login["type"]), ("user-alice", "password"))
        self.assertEqual(login["tokenExpires"].tzinfo, timezone.utc)
        self.assertEqual(self.client.call("whoami"), "user-alice")
        self.assertEqual(self.client.documents("users")["user-alice"]["username"], "alice")
        second = self.connected(self.server)
        self.assertEqual(second.log_in("alice", "not needed", login["token"])["type"], "resume")
        signed_out = Queue()
        second.meteor.logout(lambda *answer: signed_out.put(answer))
        self.assertEqual(signed_out.get(timeout=PATIENCE), (None, None))
        self.assertEqual(second.documents("users"), {})
        self.assertEqual(second.answer("login", {"resume": login["token"]})[0]["error"], 403)

    def test_a_wrong_password_fails_with_the_number_403(self):
        with self.assertRaisesRegex(AssertionError, "'error': 403"):
            self.client.log_in("alice", "wrong")

    def test_a_login_asks_for_the_code_of_an_authenticator_app(self):
        login = {"user": {"username": "bob"}, "password": "battery staple"}
        error, _ = self.client.answer("login", login)
        self.assertEqual((error["error"], error["details"]["method"]), ("totp-required", "totp"))
        code = code_at("bob", self.client.call("advanceClock", 30_000))
        self.assertEqual(self.client.call("login", {"totp": {"login": login, "code": code}})["id"], "user-bob")

    def test_a_publications_documents_have_arrived_when_it_is_ready(self):
        self.assertIsNone(self.client.subscribe("tick", 3))
        self.assertEqual(list(self.client.documents("ticks")), ["doc0", "doc1", "doc2"])
        self.assertEqual(self.client.meteor.find_one("ticks", {"i": 2})["tags"], ["a", "b"])

    def test_documents_are_added_changed_and_removed(self):
        self.client.subscribe("itemsWhere", {"room": "kitchen"})
        self.client.call("insertItem", {"_id": "kettle", "room": "kitchen", "hot": True})
        self.client.call("updateItem", "kettle", {"set": {"full": True}, "unset": ["hot"]})
        self.assertEqual(self.client.documents("items"), {"kettle": {"room": "kitchen", "full": True}})
        self.client.call("removeItem", "kettle")
        self.assertEqual(self.client.documents("items"), {})

    def test_another_clients_changes_arrive(self):
        self.client.subscribe("items")
        self.connected(self.server).call("insertItem", {"_id": "lamp", "on": False})
        self.assertEqual(self.client.events.get(timeout=PATIENCE), ("added", "items", "lamp", {"on": False}))

    def test_a_publication_that_does_not_exist_is_rejected(self):
        refused = Queue()
        self.client.meteor.ddp_client.subscribe("noSuchPublication", [], lambda error, _: refused.put(error))
        self.assertEqual(refused.get(timeout=PATIENCE)["error"], 404)

    def test_a_stopped_subscription_removes_its_documents(self):
        self.client.subscribe("tick", 1)
        self.client.meteor.unsubscribe("tick")
        self.assertEqual(self.client.events.get(timeout=PATIENCE)[0], "added")
        self.assertEqual(self.client.events.get(timeout=PATIENCE), ("removed", "ticks", "doc0"))

    def test_a_silent_client_is_pinged_answers_and_stays_connected(self):
        with Server("--heartbeat-interval-ms", "100", "--heartbeat-timeout-ms", "500") as server:
            client = self.connected(server)
            self.assertEqual(client.call("sleepUnblocked", 900), 900)
            client.meteor.close()

    def test_it_reconnects_after_the_server_closes(self):
        # With `DDPClient`, the base of `MeteorClient`: after a reconnect the latter waits for a login that was not requested.
        client, events = DDPClient(self.server.url, auto_reconnect_timeout=0.02), Queue()
        for event in ["connected", "reconnected"]:
            client.on(event, lambda event=event: events.put(event))
        self.addCleanup(client.close)
        client.connect()
        self.assertEqual(events.get(timeout=PATIENCE), "connected")
        client.call("closeConnection", [])
        self.assertEqual(events.get(timeout=PATIENCE), "reconnected")
        client.call("add", [2, 3], lambda error, result: events.put((error, result)))
        self.assertEqual(events.get(timeout=PATIENCE), (None, 5))


if __name__ == "__main__":
    unittest.main()
