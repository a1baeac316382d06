import ms from 'ms'
import { unit } from './unit.js'

export const minutes = n => ms(n + unit)
export { never } from './never.js'
