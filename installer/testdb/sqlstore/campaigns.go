package sqlstore

import (
	"context"
	"fmt"

	"github.com/anuket-project/xtci/installer/testdb"
)

// Campaigns lists the build tags of results, that of the newest result first.
// Results without a tag, or with an empty one, are of no campaign.
func (s *Store) Campaigns(ctx context.Context, q testdb.CampaignQuery) ([]testdb.CampaignRow, error) {
	rows, err := s.campaigns(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list campaigns: %w", s.explain(err))
	}
	return rows, nil
}

func (s *Store) campaigns(ctx context.Context, q testdb.CampaignQuery) ([]testdb.CampaignRow, error) {
	statement := `SELECT build_tag, results, passed, failed, started, stopped FROM campaigns`
	var args []any
	if q.Tag != "" {
		statement, args = statement+` WHERE build_tag = ?`, append(args, s.d.text(searched(q.Tag)))
	}
	limit := int64(q.Limit)
	if limit <= 0 {
		limit = 1<<63 - 1
	}
	statement += ` ORDER BY last DESC LIMIT ? OFFSET ?`
	rows, err := s.reader.QueryContext(ctx, s.d.sql(statement), append(args, limit, q.Offset)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []testdb.CampaignRow
	for rows.Next() {
		var c testdb.CampaignRow
		if err := rows.Scan(&c.BuildTag, &c.Results, &c.Passed, &c.Failed, &c.Started, &c.Stopped); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}
