export { removeInOrder as runRemovalTask } from '../storage/ordered-removal.ts'
