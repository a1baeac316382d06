import ms from 'ms'
import { shout } from './shout.ts'

document.title = shout(ms(86400000))
