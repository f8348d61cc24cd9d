import { loadScript } from '../redis/script.ts';

const load = (file: string) => loadScript(new URL(`./scripts/${file}.lua`, import.meta.url));

/** The steps of a checkpoint that must be atomic on the server; each mirrors a decision of protocol.ts. */
export const CHECKPOINT_SCRIPTS = {
  takeOver: load('take-over-1'),
  nextGeneration: load('next-generation-1'),
  nextCheckpointId: load('next-checkpoint-id-1'),
  writeBlob: load('write-blob-3'),
  publish: load('publish-4'),
  deleteBlob: load('delete-blob-3'),
  remove: load('remove-2'),
} as const;
