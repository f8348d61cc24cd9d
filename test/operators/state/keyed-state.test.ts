import { heapState } from '../../../operators/state/keyed-state.ts';
import { keyedStateContract } from './keyed-state.contract.ts';
import { spillingBackend } from './spilling-backend.ts';

keyedStateContract('heap', heapState);
keyedStateContract('spilling', spillingBackend);
