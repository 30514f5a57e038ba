package assemble

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace/shared/api/console/forms"
	"github.com/millrace/millrace/shared/api/edge"
	"github.com/millrace/millrace/shared/api/service"
	"github.com/millrace/millrace/shared/api/web"
	"github.com/millrace/millrace/shared/app"
	"github.com/millrace/millrace/shared/humaninput"
	"github.com/millrace/millrace/shared/mail"
	"github.com/millrace/millrace/shared/mail/driver"
	"github.com/millrace/millrace/shared/mail/logmail"
	"github.com/millrace/millrace/shared/mail/smtp"
	"github.com/millrace/millrace/shared/postgres/accounts"
	pgforms "github.com/millrace/millrace/shared/postgres/humaninput"
)

// formService is what may be done with forms that are there: read and answer
// them. It sends no mails, so that functions which only do that link no client
// for them.
func formService(p *Platform) (*humaninput.Service, error) {
	return once(p, "forms", func() (*humaninput.Service, error) { return newFormService(p, nil) })
}

// formSender makes forms too, and sends them.
func formSender(p *Platform) (*humaninput.Service, error) {
	return once(p, "forms-sender", func() (*humaninput.Service, error) {
		mailer, err := openMailer(p)
		if err != nil {
			return nil, err
		}
		return newFormService(p, mailer)
	})
}

func newFormService(p *Platform, mailer *mail.Mailer) (*humaninput.Service, error) {
	pool, err := p.Pool()
	if err != nil {
		return nil, err
	}
	runs, err := watcher(p)
	if err != nil {
		return nil, err
	}
	return humaninput.New(pgforms.New(pool), humaninput.Options{
		GlobalTimeout: time.Duration(p.Config.Run.FormTimeoutSeconds) * time.Second, WebURL: p.Config.URLs.AppWeb, Mailer: mailer,
		Directory: directory{accounts.New(pool)}, Waker: runs, Clock: p.Clock, Log: p.Logger,
	}), nil
}

// directory finds the addresses of members.
type directory struct{ accounts *accounts.Store }

// Members implements humaninput.Directory.
func (d directory) Members(ctx context.Context, tenantID string) ([]humaninput.Member, error) {
	list, err := d.accounts.Members(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	out := make([]humaninput.Member, len(list))
	for i, m := range list {
		out[i] = humaninput.Member{AccountID: m.Account.ID, Email: m.Account.Email}
	}
	return out, nil
}

// openMailer opens what carries mails, as MAIL_TYPE says; nil where there is
// nothing.
func openMailer(p *Platform) (*mail.Mailer, error) {
	c := p.Config.Mail
	var d driver.Driver
	switch c.Type {
	case "":
		return nil, nil //nolint:nilnil // documented above
	case "log":
		d = logmail.New(p.Logger)
	case "smtp":
		if c.SMTPServer == "" || c.From == "" {
			return nil, fmt.Errorf("settings: MAIL_TYPE smtp needs SMTP_SERVER and MAIL_DEFAULT_SEND_FROM")
		}
		var err error
		if d, err = smtp.New(smtp.Options{
			Host: c.SMTPServer, Port: c.SMTPPort, Username: c.SMTPUsername, Password: c.SMTPPassword, TLS: c.SMTPUseTLS,
			Opportunistic: c.SMTPOpportunistic, LocalName: c.SMTPLocalHostname,
		}); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("settings: MAIL_TYPE must be smtp or log, not %q", c.Type)
	}
	from := c.From
	if from == "" {
		from = "millrace@localhost"
	}
	return mail.New(d, from)
}

// stopRun ends a run from within a node of it.
func stopRun(p *Platform) func(ctx context.Context, tenantID, runID, reason string) error {
	return func(ctx context.Context, tenantID, runID, reason string) error {
		runs, err := watcher(p)
		if err != nil {
			return err
		}
		return runs.Stop(ctx, tenantID, runID, reason)
	}
}

// webRuns are the routes of the web API that run workflows and answer forms.
func webRuns(p *Platform, d service.Deps) (http.Handler, error) {
	if err := p.Config.Need("SECRET_KEY"); err != nil {
		return nil, err
	}
	apps, err := appService(p)
	if err != nil {
		return nil, err
	}
	files, err := fileService(p)
	if err != nil {
		return nil, err
	}
	counters, err := shortLived(p)
	if err != nil {
		return nil, err
	}
	guard := func(next func(http.ResponseWriter, *http.Request, *service.App, service.EndUser) error) edge.Handler {
		visits := web.Deps{Apps: apps, Files: files, SecretKey: p.Config.Security.SecretKey, Clock: p.Clock}
		return web.Guard(visits, func(w http.ResponseWriter, r *http.Request, x app.SiteAccess, user app.EndUser) error {
			visitor, err := endUser(user, nil)
			if err != nil {
				return err
			}
			return next(w, r, &service.App{
				ID: x.App.ID, TenantID: x.App.TenantID, Name: x.App.Name, Description: x.App.Description, Mode: x.App.Mode,
				WorkflowID: x.App.WorkflowID, Plan: x.TenantPlan,
			}, visitor)
		})
	}
	routes := append(service.VisitorRuns(d, guard), web.FormRoutes(web.FormDeps{
		Forms: d.Forms, Apps: apps, Files: files, Counters: counters, Attempts: p.Config.Security.FormAttempts,
		Window: seconds(p.Config.Security.FormWindowSeconds), Logger: p.Logger,
	})...)
	return edge.NewRouter(routes, &edge.Options{
		Logger: p.Logger, Clock: p.Clock, CORS: pageOrigins(p.Config.Security.WebAPICORSOrigins), MaxBody: max(16<<20, files.MaxUpload()+1<<20),
	}), nil
}

// consoleForms are the console's routes of forms.
func consoleForms(p *Platform) ([]edge.Route, error) {
	apps, err := appService(p)
	if err != nil {
		return nil, err
	}
	auth, err := consoleAuth(p)
	if err != nil {
		return nil, err
	}
	runs, err := watcher(p)
	if err != nil {
		return nil, err
	}
	files, err := fileService(p)
	if err != nil {
		return nil, err
	}
	svc, err := formSender(p)
	if err != nil {
		return nil, err
	}
	return forms.Routes(forms.Deps{Forms: svc, Apps: apps, Runs: runs, Files: files, Auth: auth.Session}), nil
}
