"""`rocketchat-API`, for REST. It knows no second factor itself: codes go into the headers of its session."""

import hashlib
import json
import unittest

import requests
from authenticator import code_at
from rocketchat_API.APIExceptions.RocketExceptions import RocketApiException, RocketAuthenticationException, RocketBadStatusCodeException
from rocketchat_API.rocketchat import RocketChat
from server import Server

HALF_A_MINUTE = 30_000


class RocketChatApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def client(self, user=None, password=None, **headers):
        session = requests.Session()
        self.addCleanup(session.close)
        session.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return RocketChat(user, password, server_url=self.server.http, session=session)

    def method(self, client, name, *params):
        """The outcome of a method, called as this client calls anything that it does not know."""
        message = json.dumps({"msg": "method", "id": "1", "method": name, "params": params})
        where = "method.call" if client.headers else "method.callAnon"
        answer = client.call_api_post(f"{where}/{name}", message=message)
        return json.loads(answer["message"])

    def next_code(self, user):
        """The code that the user's app shows half a minute later: the server takes none twice."""
        return code_at(user, self.method(self.client(), "advanceClock", HALF_A_MINUTE)["result"])

    def test_it_signs_in_by_name_and_by_address_and_is_told_who_it_is(self):
        for user in ["alice", "alice@example.com"]:
            me = self.client(user, "correct horse").me()
            self.assertEqual((me["_id"], me["username"]), ("user-alice", "alice"))

    def test_a_wrong_password_is_refused(self):
        with self.assertRaises(RocketAuthenticationException):
            self.client("alice", "wrong")

    def test_a_login_without_the_code_that_it_needs_is_refused_and_one_with_it_is_not(self):
        with self.assertRaises(RocketAuthenticationException):
            self.client("bob", "battery staple")
        client = self.client("bob", "battery staple", x_2fa_code=self.next_code("bob"))
        self.assertEqual(client.me()["_id"], "user-bob")

    def test_a_gated_endpoint_asks_and_takes_the_code_from_the_headers(self):
        client = self.client("alice", "correct horse")
        with self.assertRaises(RocketApiException) as refused:
            client.call_api_post("gated")
        error = refused.exception.response_json
        self.assertEqual((error["errorType"], error["details"]["method"]), ("totp-required", "password"))
        code = hashlib.sha256(b"correct horse").hexdigest()
        client.session.headers.update({"x-2fa-code": code, "x-2fa-method": "password"})
        self.assertEqual(client.call_api_post("gated"), {"ok": True, "success": True})
        receipt = self.method(client, "transferFunds", {"to": "bob", "amount": 5})
        self.assertEqual(receipt["result"], {"to": "bob", "amount": 5, "argc": 1})

    def test_a_stale_code_in_the_headers_does_no_harm_where_none_is_needed(self):
        client = self.client("alice", "correct horse")
        client.session.headers.update({"x-2fa-code": "000000", "x-2fa-method": "totp"})
        self.assertEqual(client.me()["_id"], "user-alice")
        self.assertEqual(self.method(client, "add", 2, 3)["result"], 5)

    def test_who_has_signed_out_is_refused(self):
        client = self.client("alice", "correct horse")
        client.logout()
        with self.assertRaises((RocketApiException, RocketBadStatusCodeException)) as refused:
            client.me()
        self.assertEqual(refused.exception.status_code, 401)

    def test_the_server_says_what_it_is(self):
        self.assertTrue(self.client().info()["success"])


if __name__ == "__main__":
    unittest.main()
