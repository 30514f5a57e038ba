package console

import (
	"github.com/millrace/millrace/shared/account"
	"github.com/millrace/millrace/shared/errs"
)

// Forbidden is the contract's answer to members whose role is too low.
func Forbidden() error {
	return errs.New(errs.Forbidden,
		"You don't have the permission to access the requested resource. It is either read-protected or not readable by the server.")
}

// CanEdit lets in who may create, edit and publish apps.
func CanEdit(p account.Principal) error { return allow(p.Role.CanEdit()) }

// CanManage lets in who manages members and model providers: owner and admins.
func CanManage(p account.Principal) error { return allow(p.Role.IsAdmin()) }

// IsOwner lets in the owner of the workspace.
func IsOwner(p account.Principal) error { return allow(p.Role == account.Owner) }

func allow(ok bool) error {
	if ok {
		return nil
	}
	return Forbidden()
}
