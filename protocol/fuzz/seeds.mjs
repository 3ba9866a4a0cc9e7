// Writes the seeds in corpus/: the texts of the vectors, some frames, and some bytes. Run it with `node seeds.mjs`.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';

const vectors = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));

function write(target, seeds) {
  const directory = new URL(`corpus/${target}/`, import.meta.url);
  mkdirSync(directory, { recursive: true });
  for (const seed of seeds) {
    const name = createHash('sha256').update(seed).digest('hex').slice(0, 16);
    writeFileSync(new URL(name, directory), seed);
  }
}

const ejson = vectors('ejson');
const texts = [...ejson.decoded, ...ejson.refused, ...ejson.sorted].map(({ text }) => text);
write('ejson_decode', [...texts, '"\\ud83d"', '["\\ude00\\ud83d"]', '1e400', '[{"$escape":', '"\\u00']);

const ids = vectors('document_ids');
write('document_id', [...ids.both, ...ids.read].map(({ wire }) => wire).concat(ids.refused));

write('client_message', [
  '{"msg":"connect","version":"1","support":["1","pre2","pre1"]}',
  '{"msg":"connect","version":"1","support":["1"],"session":"abc","receivedCount":3}',
  '{"msg":"ping"}', '{"msg":"ping","id":"1"}', '{"msg":"pong"}', '{"msg":"disconnect"}',
  '{"msg":"sub","id":"a","name":"items","params":[{"$date":1}]}', '{"msg":"sub","id":1,"name":"items"}', '{"msg":"unsub","id":"a"}',
  '{"msg":"method","method":"add","params":[1,2],"id":"1"}', '{"msg":"method","method":"a","id":"1","randomSeed":"abc"}',
  '{"msg":"method","method":"a","id":"1","params":[{"$type":"u","$value":1}]}', '{"msg":"method","method":"a","id":"1","params":{}}',
  '{"msg":"method","method":"\\ud83d","id":"\\u0041","params":["\\ud83d"]}', '{"msg":"result","fields":{"a":{"$date":"x"}},"cleared":["b"]}',
  '{"msg":5}', '{"msg":""}', '{}', '[]', 'null', '{"msg":"ping","msg":"pong"}', ' { "msg" : "ping" } ', '{"\\u006dsg":"ping"}',
]);

write('ejson_round_trip', Array.from({ length: 40 }, (_, seed) =>
  Buffer.concat([createHash('sha512').update(`a${seed}`).digest(), createHash('sha512').update(`b${seed}`).digest()])));
write('ejson_round_trip', [Buffer.from([10, 1, 0, 5]), Buffer.from([10, 2, 6, 4, 7, 10, 1, 3, 10, 1, 0, 2]), Buffer.from([9, 3, 9, 3, 9, 3])]);

write('sockjs_frames', [
  'o', 'h', 'a["{\\"msg\\":\\"ping\\"}"]', 'a["a","b"]', 'a[]', 'a', 'c[3000,"Go away!"]', 'c[2010,"Another connection still open"]', 'c[1]',
  '["{\\"msg\\":\\"ping\\"}"]', ' [ "a" ,\n"b" ] ', '"a"', '"\\ud83d"', '["\\ud83d\\ude00"]', '[1,-1.5e3,true,null,{"a":["]"]},["b"],"c"]', '[]', '[,]', '["a",]', '5', '{}',
  '["a', '[[[["a"]]]]', 'ü\u200b\u200c\u2028\u2060\ufff0😀\u0000\b\f\n\r\t\u001f"\\/',
]);
