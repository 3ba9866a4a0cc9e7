"""`ddp-asyncio`, a client from 2018 with coroutines. A change of an unknown document ends its reader."""

import asyncio
import collections
import collections.abc
import sys
import types
import unittest

collections.Mapping = collections.abc.Mapping  # which the client uses, and Python 3.10 dropped
sys.modules.setdefault("aiohttp", types.ModuleType("aiohttp"))  # which its file upload imports without requiring it

from authenticator import code_at  # noqa: E402
from ddp_asyncio import DDPClient  # noqa: E402
from ddp_asyncio.exceptions import RemoteMethodError, SubscriptionError  # noqa: E402
from server import Server  # noqa: E402


class DdpAsyncio(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    async def asyncSetUp(self):
        await self.enterAsyncContext(asyncio.timeout(10))
        self.client = await self.connected(self.server)

    async def connected(self, server):
        client = DDPClient(server.url)
        await client.connect()
        self.addAsyncCleanup(client.disconnect)
        return client

    async def subscribe(self, name, *params):
        subscription = await self.client.subscribe(name, *params)
        await subscription.wait()
        return subscription

    async def test_a_call_returns_its_result(self):
        self.assertEqual(await self.client.call("add", 2, 3), 5)

    async def test_an_error_has_its_message(self):
        with self.assertRaisesRegex(RemoteMethodError, r"^Method 'noSuchMethod' not found \[404\]$"):
            await self.client.call("noSuchMethod")
        with self.assertRaisesRegex(RemoteMethodError, r"^Put on a coat \[too-cold\]$"):
            await self.client.call("failWith", "too-cold", "Put on a coat")
        with self.assertRaisesRegex(RemoteMethodError, r"^\[bare\]$"):
            await self.client.call("failWith", "bare")

    async def test_falsy_results_are_returned_unchanged(self):
        for value in [0, "", False, None, [], {}]:
            self.assertEqual(await self.client.call("echo", value), value)

    async def test_300_kb_are_returned_completely(self):
        text = "ein Stück Text, das länger ist als es sein müsste " * 6000
        self.assertEqual(await self.client.call("echo", text), text)

    async def test_a_call_that_unblocks_can_be_overtaken(self):
        slow = asyncio.create_task(self.client.call("sleepUnblocked", 300))
        await asyncio.sleep(0)  # lets it be sent first
        self.assertEqual(await self.client.call("add", 2, 3), 5)
        self.assertFalse(slow.done())
        self.assertEqual(await slow, 300)

    async def test_a_gated_method_names_the_missing_factor(self):
        with self.assertRaisesRegex(RemoteMethodError, r"\[error-invalid-user\]$"):
            await self.client.call("transferFunds", {"to": "bob", "amount": 5})
        await self.client.call("setUserId", "user-alice")
        with self.assertRaisesRegex(RemoteMethodError, r"\[totp-required\]$"):
            await self.client.call("transferFunds", {"to": "bob", "amount": 5})

    async def test_a_login_sets_the_user_until_the_logout(self):
        login = await self.client.call("login", {"user": {"username": "alice"}, "password": "correct horse"})
        self.assertEqual((login["id"], login["type"]), ("user-alice", "password"))
        self.assertEqual(await self.client.call("whoami"), "user-alice")
        self.assertEqual(self.client.get_collection("users")["user-alice"].username, "alice")
        second = await self.connected(self.server)
        self.assertEqual((await second.call("login", {"resume": login["token"]}))["type"], "resume")
        await second.call("logout")
        with self.assertRaisesRegex(RemoteMethodError, r"Please log in again\. \[403\]$"):
            await second.call("login", {"resume": login["token"]})
        self.assertEqual(len(second.get_collection("users")), 0)

    async def test_a_wrong_password_and_a_missing_code_are_reported(self):
        with self.assertRaisesRegex(RemoteMethodError, r"\[403\]$"):
            await self.client.call("login", {"user": {"username": "alice"}, "password": "wrong"})
        login = {"user": {"username": "bob"}, "password": "battery staple"}
        with self.assertRaisesRegex(RemoteMethodError, r"^TOTP Required \[totp-required\]$"):
            await self.client.call("login", login)
        code = code_at("bob", await self.client.call("advanceClock", 30_000))
        self.assertEqual((await self.client.call("login", {"totp": {"login": login, "code": code}}))["id"], "user-bob")

    async def test_a_publications_documents_have_arrived_when_it_is_ready(self):
        await self.subscribe("tick", 3)
        ticks = self.client.get_collection("ticks")
        self.assertEqual(list(ticks), ["doc0", "doc1", "doc2"])
        self.assertEqual(ticks["doc1"].name, "item number 1")

    async def test_documents_are_added_changed_and_removed(self):
        events = self.client.get_collection("items").get_queue()
        await self.subscribe("itemsWhere", {"room": "kitchen"})
        await self.client.call("insertItem", {"_id": "kettle", "room": "kitchen", "hot": False})
        await self.client.call("updateItem", "kettle", {"set": {"hot": True}})
        await self.client.call("removeItem", "kettle")
        heard = [dict(await events.get()) for _ in range(3)]
        self.assertEqual(
            heard,
            [
                {"type": "added", "_id": "kettle", "fields": {"room": "kitchen", "hot": False}},
                {"type": "changed", "_id": "kettle", "fields": {"hot": True}, "cleared": []},
                {"type": "removed", "_id": "kettle"},
            ],
        )

    async def test_a_stopped_subscription_removes_its_documents(self):
        subscription = await self.subscribe("tick", 2)
        events = self.client.get_collection("ticks").get_queue()
        await self.client.unsubscribe(subscription)
        self.assertEqual({(await events.get())["_id"] for _ in range(2)}, {"doc0", "doc1"})
        self.assertEqual(len(self.client.get_collection("ticks")), 0)

    async def test_a_publication_that_does_not_exist_is_rejected(self):
        with self.assertRaisesRegex(SubscriptionError, r"^Subscription 'noSuchPublication' not found \[404\]$"):
            await self.subscribe("noSuchPublication")

    async def test_a_pong_with_a_null_id_is_accepted(self):
        # This client answers a ping without an id in this way.
        with Server("--heartbeat-interval-ms", "100", "--heartbeat-timeout-ms", "500") as server:
            client = await self.connected(server)
            self.assertEqual(await client.call("sleepUnblocked", 900), 900)
            await client.disconnect()

    async def test_it_can_reconnect_after_the_server_closes(self):
        closing = asyncio.create_task(self.client.call("closeConnection"))
        await asyncio.sleep(0)  # lets it be sent
        await self.client.disconnection()
        closing.cancel()
        await self.client.connect()
        self.assertEqual(await self.client.call("add", 2, 3), 5)


if __name__ == "__main__":
    unittest.main()
