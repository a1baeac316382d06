export { minutes } from '@made/lib'
