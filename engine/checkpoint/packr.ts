import { Packr } from 'msgpackr';

/** How snapshots are packed: plain objects as maps, typed arrays kept, nothing recorded between calls, so the bytes stand alone. */
export const packr = new Packr({ useRecords: false, moreTypes: true });
