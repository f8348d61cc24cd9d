import { resolve } from 'node:path';
import t from 'tap';
import { openBlobPlace, parseBlobPlace } from '../../../engine/checkpoint/blob-place.ts';
import { blobStorageContract } from './blob-storage.contract.ts';

await t.test('a folder', (t) => {
  t.same(parseBlobPlace('/srv/state'), { kind: 'folder', path: '/srv/state' });
  t.same(parseBlobPlace('state'), { kind: 'folder', path: resolve('state') });
  t.end();
});

await t.test('the folder named is the folder used', async (t) =>
  blobStorageContract(t, await openBlobPlace(parseBlobPlace(t.testdir()))),
);

await t.test('a bucket', (t) => {
  t.same(parseBlobPlace('s3://State'), { kind: 's3', bucket: 'State' }, 'as it is written');
  t.same(parseBlobPlace('s3://b/a/c/?endpoint=http://127.0.0.1:9000&region=eu-1'), {
    kind: 's3',
    bucket: 'b',
    prefix: 'a/c',
    endpoint: 'http://127.0.0.1:9000',
    region: 'eu-1',
  });
  t.end();
});

await t.test('what cannot be read says why, without the credentials in it', (t) => {
  for (const [text, why] of [
    ['', /it is empty/],
    ['gs://bucket', /only s3:/],
    ['s3://', /a bucket comes first/],
    ['s3://key:secret@bucket', /credentials come from the environment/],
    ['s3://bucket:9000', /a bucket comes first/],
    ['s3://bucket/a%20b', /prefix/],
    ['s3://bucket?endpoint=127.0.0.1:9000', /the endpoint is a URL/],
    ['s3://bucket?regoin=eu', /no setting 'regoin'/],
  ] as const) {
    let thrown: unknown;
    try {
      parseBlobPlace(text);
    } catch (error) {
      thrown = error;
    }
    t.match(thrown, { code: 'MR_CONFIG_INVALID', message: why }, text);
    t.notMatch((thrown as Error).message, /secret/);
  }
  t.end();
});
