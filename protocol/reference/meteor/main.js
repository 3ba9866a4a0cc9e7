// The application of the conformance cases as `server/main.js` of a Meteor project. README.md says how to make one.

import { Accounts } from "meteor/accounts-base";
import { check, Match } from "meteor/check";
import { DDP } from "meteor/ddp";
import { DDPServer } from "meteor/ddp-server";
import { Meteor } from "meteor/meteor";
import { Mongo } from "meteor/mongo";

// A clock that cases move forward. Timers go on as before.
const RealDate = Date;
let offset = 0;
globalThis.Date = class extends RealDate {
  constructor(...parts) {
    super(...(parts.length === 0 ? [RealDate.now() + offset] : parts));
  }
  static now() {
    return RealDate.now() + offset;
  }
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ids = (stream, count) => Array.from({ length: count }, () => DDP.randomStream(stream).id());

Meteor.methods({
  capabilities: () => [
    "script", "connectionInfo", "collections", "mergeBox", "strategies", "randomSeeds", "userChange", "streams", "resumption", "accounts", "clock", "sockjs",
  ],
  echo: (value) => value,
  add(a, b) {
    check(a, Number);
    check(b, Number);
    return a + b;
  },
  nothing() {},
  failWith(error, reason, details) {
    throw new Meteor.Error(error, reason, details);
  },
  failInternally() {
    throw new Error("a secret that clients must not see");
  },
  panicNow() {
    throw new Error("a panic that clients must not see");
  },
  async sleep(ms) {
    check(ms, Number);
    await sleep(ms);
    return ms;
  },
  async sleepUnblocked(ms) {
    check(ms, Number);
    this.unblock();
    await sleep(ms);
    return ms;
  },
  randomIds: (stream, count) => ids(stream, count),
  nestedRandomIds: (stream, count) => Meteor.callAsync("randomIds", stream, count),
  connectionInfo() {
    const { id, clientAddress, httpHeaders } = this.connection;
    return { id, clientAddress, httpHeaders, userId: this.userId };
  },
  async setUserId(id) {
    await this.setUserId(id);
  },
  async setUserIdLate(id) {
    this.unblock();
    await this.setUserId(id);
  },
  closeConnection() {
    this.connection.close();
  },
  whoami() {
    if (!this.userId) {
      throw new Meteor.Error("not-authorized");
    }
    return this.userId;
  },
  advanceClock(ms) {
    check(ms, Number);
    offset += ms;
    return Date.now();
  },
});

// The live collection.
const Items = new Mongo.Collection("items");

Meteor.methods({
  insertItem: (document) => Items.insertAsync(document),
  async updateItem(id, { set = {}, unset = [] }) {
    const change = {};
    if (Object.keys(set).length > 0) {
      change.$set = set;
    }
    if (unset.length > 0) {
      change.$unset = Object.fromEntries(unset.map((name) => [name, ""]));
    }
    await Items.updateAsync(id, change);
  },
  async removeItem(id) {
    await Items.removeAsync(id);
  },
});

Meteor.publish("items", () => Items.find());
Meteor.publish("itemsWhere", (selector) => Items.find(selector));

// A feed with one document, which broadcasts change.
const feed = new Set();

Meteor.publish("feed", function () {
  this.added("feed", "x", { p: null });
  feed.add(this);
  this.onStop(() => feed.delete(this));
  this.ready();
});

Meteor.methods({
  broadcast(payload) {
    feed.forEach((subscription) => subscription.changed("feed", "x", { p: payload }));
    return feed.size;
  },
});

Meteor.publish("tick", function (count) {
  check(count, Match.Integer);
  for (let i = 0; i < count; i += 1) {
    this.added("ticks", `doc${i}`, {
      i, name: `item number ${i}`, price: i + 0.5, done: i % 2 === 1, at: new RealDate(1700000000000 + i), tags: ["a", "b"],
    });
  }
  this.ready();
});

// Publications that run steps which the client sends, and methods that go on with them.
const scripts = new Map();
const isUnset = (value) => value?.$unset === true;

async function run(subscription, steps) {
  for (const [name, ...words] of steps) {
    switch (name) {
      case "added":
        subscription.added(...words);
        break;
      case "changed": {
        const [collection, id, fields] = words;
        const values = Object.entries(fields).map(([key, value]) => [key, isUnset(value) ? undefined : value]);
        subscription.changed(collection, id, Object.fromEntries(values));
        break;
      }
      case "removed":
        subscription.removed(...words);
        break;
      case "ready":
        subscription.ready();
        break;
      case "stop":
        subscription.stop();
        break;
      case "error":
        throw new Meteor.Error(...words);
      case "throw":
        throw new Error("a secret that clients must not see");
      case "sleep":
        await sleep(words[0]);
        break;
      case "unblock":
        subscription.unblock();
        break;
      default:
        throw new Meteor.Error(400, `unknown step ${name}`);
    }
  }
}

Meteor.publish("script", async function (steps) {
  const key = `${this.connection.id} ${this._subscriptionId}`;
  scripts.set(key, this);
  this.onStop(() => scripts.get(key) === this && scripts.delete(key));
  await run(this, steps);
});

Meteor.methods({
  async run(id, steps) {
    const subscription = scripts.get(`${this.connection.id} ${id}`);
    if (!subscription) {
      throw new Meteor.Error("no-such-subscription");
    }
    // An error ends the subscription, and not the call.
    await run(subscription, steps).catch((error) => subscription.error(error));
  },
});

for (const [collection, strategy] of [
  ["noMerge", "NO_MERGE"], ["noMergeMulti", "NO_MERGE_MULTI"], ["noMergeNoHistory", "NO_MERGE_NO_HISTORY"],
]) {
  Meteor.server.setPublicationStrategy(collection, DDPServer.publicationStrategies[strategy]);
}

Meteor.publish("ownDocuments", function () {
  if (this.userId) {
    this.added("own", `${this.userId}-1`, { owner: this.userId });
  }
  this.added("own", "shared", { owner: this.userId });
  this.ready();
});

Meteor.publish("needsLogin", function () {
  if (!this.userId) {
    throw new Meteor.Error("not-authorized");
  }
  this.ready();
});

Meteor.publish("slow", async function (ms) {
  await sleep(ms);
  this.ready();
});

Meteor.publish("slowUnblocked", async function (ms) {
  this.unblock();
  await sleep(ms);
  this.ready();
});

Meteor.publish("ofMethod", async function (method, parameters) {
  this.added("results", "x", { result: await Meteor.applyAsync(method, parameters) });
  this.ready();
});

// Users, and a token without a login. Calls are not limited, because the cases make many.
const USERS = [
  ["alice", "correct horse"], ["bob", "battery staple"], ["emma", "envelope please"], ["zoe", "belt and braces"],
  ["Nina", "capital letter"], ["nina", "small letter"], ["olga", null], ["admin", "admin password"],
];

Meteor.startup(async () => {
  Accounts.removeDefaultRateLimit();
  for (const [username, password] of USERS) {
    const _id = `user-${username}`;
    if (!(await Meteor.users.findOneAsync(_id))) {
      const emails = [{ address: `${username}@example.com`, verified: true }];
      await Meteor.users.insertAsync({ _id, username, emails, createdAt: new RealDate(1500000000000) });
      if (password) {
        await Accounts.setPasswordAsync(_id, password);
      }
    }
  }
});

Meteor.methods({
  async issueToken(username) {
    const user = await Meteor.users.findOneAsync({ username });
    if (!user) {
      throw new Meteor.Error(403, "User not found");
    }
    const token = Accounts._generateStampedLoginToken();
    await Accounts._insertLoginToken(user._id, token);
    return token.token;
  },
});
