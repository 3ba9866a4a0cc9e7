"""`rocketchat-API`, for REST. It does not support second factors itself: codes go into the headers of its session."""

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
        """Calls a method as this client calls any unknown endpoint."""
        message = json.dumps({"msg": "method", "id": "1", "method": name, "params": params})
        where = "method.call" if client.headers else "method.callAnon"
        answer = client.call_api_post(f"{where}/{name}", message=message)
        return json.loads(answer["message"])

    def next_code(self, user):
        """Returns the code of 30 seconds later, because the server accepts each code only once."""
        return code_at(user, self.method(self.client(), "advanceClock", HALF_A_MINUTE)["result"])

    def test_it_logs_in_by_name_and_by_address_and_gets_the_user(self):
        for user in ["alice", "alice@example.com"]:
            me = self.client(user, "correct horse").me()
            self.assertEqual((me["_id"], me["username"]), ("user-alice", "alice"))

    def test_a_wrong_password_is_rejected(self):
        with self.assertRaises(RocketAuthenticationException):
            self.client("alice", "wrong")

    def test_a_login_fails_without_the_required_code_and_succeeds_with_it(self):
        with self.assertRaises(RocketAuthenticationException):
            self.client("bob", "battery staple")
        client = self.client("bob", "battery staple", x_2fa_code=self.next_code("bob"))
        self.assertEqual(client.me()["_id"], "user-bob")

    def test_a_gated_endpoint_asks_and_reads_the_code_from_the_headers(self):
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

    def test_a_stale_code_in_the_headers_is_ignored_by_open_endpoints(self):
        client = self.client("alice", "correct horse")
        client.session.headers.update({"x-2fa-code": "000000", "x-2fa-method": "totp"})
        self.assertEqual(client.me()["_id"], "user-alice")
        self.assertEqual(self.method(client, "add", 2, 3)["result"], 5)

    def test_requests_after_a_logout_are_rejected(self):
        client = self.client("alice", "correct horse")
        client.logout()
        with self.assertRaises((RocketApiException, RocketBadStatusCodeException)) as refused:
            client.me()
        self.assertEqual(refused.exception.status_code, 401)

    def test_the_server_reports_its_version(self):
        self.assertTrue(self.client().info()["success"])


if __name__ == "__main__":
    unittest.main()
