import { resolve } from 'node:path';
import { MillraceError } from '../base/errors.ts';
import type { BlobStorage } from './blob-storage.ts';
import { folderBlobs } from './folder-blobs.ts';
import { type S3BlobsOptions, s3Blobs } from './s3-blobs.ts';

/** Where large blobs lie, as text says it: the path of a folder, or `s3://bucket/prefix`. */
export type BlobPlace =
  | { readonly kind: 'folder'; readonly path: string }
  | ({ readonly kind: 's3' } & S3BlobsOptions);

/**
 * Reads `<folder>` or `s3://<bucket>[/<prefix>][?endpoint=<url>&region=<name>]`.
 * @throws MR_CONFIG_INVALID
 */
export function parseBlobPlace(text: string): BlobPlace {
  if (text === '') throw unusable(text, 'it is empty');
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return { kind: 'folder', path: resolve(text) };
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.protocol !== 's3:') throw unusable(text, 'only s3://… is known beside folders');
  const unknown = [...url.searchParams.keys()].find((name) => name !== 'endpoint' && name !== 'region');
  if (unknown !== undefined) throw unusable(text, `there is no setting '${unknown}'`);
  if (url.hostname === '' || url.username !== '' || url.port !== '')
    throw unusable(text, 'a bucket comes first, and credentials come from the environment');
  const prefix = url.pathname.replace(/^\/|\/$/g, '');
  if (!/^[\w.\-/]*$/.test(prefix)) throw unusable(text, 'a prefix has letters, digits and - _ . / only');
  const endpoint = url.searchParams.get('endpoint');
  const region = url.searchParams.get('region');
  if (endpoint !== null && !/^https?:\/\//.test(endpoint))
    throw unusable(text, 'the endpoint is a URL: http://… or https://…');
  return {
    kind: 's3',
    bucket: url.hostname,
    ...(prefix === '' ? {} : { prefix }),
    ...(endpoint === null ? {} : { endpoint }),
    ...(region === null ? {} : { region }),
  };
}

/** @throws MR_CONFIG_INVALID when the S3 client is not installed */
export async function openBlobPlace(place: BlobPlace): Promise<BlobStorage> {
  return place.kind === 'folder' ? folderBlobs(place.path) : s3Blobs(place);
}

function unusable(text: string, why: string): MillraceError {
  return new MillraceError(
    'MR_CONFIG_INVALID',
    `Large state cannot go to '${text.replace(/\/\/.*@/, '//…@')}': ${why}. Give the path of a folder that all workers share, or s3://bucket/prefix?endpoint=https://….`,
  );
}
