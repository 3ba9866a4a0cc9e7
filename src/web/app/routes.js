// All pages: their address, who can see them, and their group in the navigation.

import { clientsPage } from './account/clients.js';
import { enrollPage, resetPasswordPage, verifyEmailPage } from './account/links.js';
import { profilePage } from './account/profile.js';
import { forgotPasswordPage, signInPage } from './account/sign-in.js';
import { signUpPage } from './account/sign-up.js';
import { tokensPage } from './account/tokens.js';
import { twoFactorPage } from './account/two-factor.js';
import { auditPage } from './admin/audit.js';
import { collectionsPage } from './admin/collections.js';
import { mailPage } from './admin/mail.js';
import { methodsPage } from './admin/methods.js';
import { overviewPage } from './admin/overview.js';
import { rolesPage } from './admin/roles.js';
import { sessionsPage } from './admin/sessions.js';
import { settingsPage } from './admin/settings.js';
import { usersPage } from './admin/users.js';
import { element } from './element.js';

export const routes = [
  { path: '/sign-in', title: 'Sign in', access: 'guest', width: 'narrow', page: signInPage },
  { path: '/sign-up', title: 'Create an account', access: 'guest', width: 'narrow', page: signUpPage },
  { path: '/forgot-password', title: 'Reset your password', access: 'guest', width: 'narrow', page: forgotPasswordPage },
  { path: '/reset-password', title: 'New password', access: 'anyone', width: 'narrow', page: resetPasswordPage },
  { path: '/enroll-account', title: 'Welcome', access: 'anyone', width: 'narrow', page: enrollPage },
  { path: '/verify-email', title: 'E-mail address', access: 'anyone', width: 'narrow', page: verifyEmailPage },

  { path: '/account', title: 'Profile', access: 'user', group: 'Account', page: profilePage },
  { path: '/account/two-factor', title: 'Second factors', access: 'user', group: 'Account', page: twoFactorPage },
  { path: '/account/clients', title: 'Signed-in clients', access: 'user', group: 'Account', page: clientsPage },
  { path: '/account/tokens', title: 'Access tokens', access: 'user', group: 'Account', page: tokensPage },

  { path: '/admin/overview', title: 'Overview', access: 'admin', group: 'Administration', width: 'wide', page: overviewPage },
  { path: '/admin/settings', title: 'Settings', access: 'admin', group: 'Administration', page: settingsPage },
  { path: '/admin/users', title: 'Users', access: 'admin', group: 'Administration', page: usersPage },
  { path: '/admin/roles', title: 'Roles', access: 'admin', group: 'Administration', page: rolesPage },
  { path: '/admin/methods', title: 'Methods', access: 'admin', group: 'Administration', width: 'wide', page: methodsPage },
  { path: '/admin/collections', title: 'Collections', access: 'admin', group: 'Administration', width: 'wide', page: collectionsPage },
  { path: '/admin/sessions', title: 'Live sessions', access: 'admin', group: 'Administration', page: sessionsPage },
  { path: '/admin/audit', title: 'Audit log', access: 'admin', group: 'Administration', page: auditPage },
  { path: '/admin/mail', title: 'Mail queue', access: 'admin', group: 'Administration', page: mailPage },

  { path: '/not-found', title: 'Not found', access: 'anyone', page: notFoundPage },
];

function notFoundPage() {
  return element('p', { class: 'lead' }, 'This page does not exist, or you do not have access to it. ', element('a', { href: '#/' }, 'Go to the start page'));
}
