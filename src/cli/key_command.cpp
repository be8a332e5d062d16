// fulmar key: keys of DH-HMAC-CHAP and of TLS. generate, check and show-identity are of this
// machine; the rest asks fulmard. Must never: take a key from the command line, where everybody can
// see it.
#include "exit.hpp"
#include "option_checks.hpp"
#include "rest_session.hpp"
#include "table.hpp"

#include <fulmar/host/authenticate.hpp>
#include <fulmar/security/dhchap_key.hpp>
#include <fulmar/security/tls_psk.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>

namespace fulmar::cli {

namespace {

using json = rest_client::json;

struct key_settings {
    rest_session session;
    std::string name;
    std::string file;
    std::string host;
    std::string subsystem;
    bool tls = false;
    bool version_0 = false;
    bool compat = false;
    std::uint64_t grace_s = 24 * 3600;
    std::size_t bytes = 32;
    security::key_transform transform = security::key_transform::sha256;
};

std::string place_of_key(const key_settings& s) { return "/v1/keys/" + path_segment(s.name); }

std::string keys_text(const json& all) {
    table rows({"NAME", "STATE", "KIND", "SOURCE", ">FORMER", "WHY"});
    for (const json& one : all.value("keys", json::array()))
        rows.add({text_of(one, "name"), text_of(one, "state"), text_of(one, "kind"),
                  text_of(one, "source"), text_of(one, "former"), text_of(one, "why")});
    return rows.text("no keys");
}

security::secret generated_text(const key_settings& s) {
    if (!s.tls)
        return security::write_dhchap_key(
            value_or_leave(security::generate_dhchap_key(s.bytes, s.transform)));
    if (s.bytes == 64)
        leave({errc::invalid_argument, "a key of TLS has 32 or 48 bytes", "--length", {}});
    const auto suite = s.bytes == 32 ? security::tls_suite::aes128_gcm_sha256
                                     : security::tls_suite::aes256_gcm_sha384;
    return security::write_tls_key(value_or_leave(security::generate_tls_key(suite)));
}

/// Of either kind; leaves with what is wrong with it.
security::secret text_of_key_file(const std::string& path, std::string& what) {
    const security::secret line = value_or_leave(host::read_key_line(path));
    if (line.reveal_text().starts_with(security::tls_key_prefix)) {
        const auto key = value_or_leave(host::read_tls_key_file(path));
        what = fmt::format("a key of TLS of {} bytes", key.bytes.size());
        return security::write_tls_key(key);
    }
    const auto key = value_or_leave(host::read_key_file(path));
    what = fmt::format("a key of {} bytes", key.bytes.size());
    return security::write_dhchap_key(key);
}

void add_key_generate(CLI::App& group) {
    auto s = std::make_shared<key_settings>();
    CLI::App* const c = group.add_subcommand("generate", "print a new key");
    c->add_option("--length", s->bytes, "bytes: 32, 48 or 64")
        ->check(CLI::IsMember(std::vector<std::size_t>{32, 48, 64}))
        ->capture_default_str();
    static const std::map<std::string, security::key_transform> transforms{
        {"none", security::key_transform::none},
        {"sha256", security::key_transform::sha256},
        {"sha384", security::key_transform::sha384},
        {"sha512", security::key_transform::sha512}};
    c->add_option("--transform", s->transform, "what is made of it for each NQN")
        ->transform(CLI::CheckedTransformer(transforms))
        ->default_str("sha256");
    c->add_flag("--tls", s->tls, "a key of TLS, of 32 bytes (AES-128) or 48 (AES-256)");
    c->footer("Example:\n  (umask 077; fulmar key generate > host1.key)");
    c->callback([s] {
        const security::secret text = generated_text(*s);
        if (text.empty() ||
            std::fwrite(text.reveal().data(), 1, text.size(), stdout) != text.size() ||
            std::fputc('\n', stdout) == EOF || std::fflush(stdout) != 0)
            leave({errc::io_error, "the key could not be written", {}, {}});
    });
}

void add_key_check(CLI::App& group) {
    auto s = std::make_shared<key_settings>();
    CLI::App* const c = group.add_subcommand("check", "whether a file has a key in it");
    c->add_option("path", s->file, "the file")->required();
    c->callback([s] {
        std::string what;
        (void)text_of_key_file(s->file, what);
        fmt::print("{}: {}\n", s->file, what);
    });
}

void add_show_identity(CLI::App& group) {
    auto s = std::make_shared<key_settings>();
    CLI::App* const c =
        group.add_subcommand("show-identity", "the identity that a key of TLS has for two names");
    c->add_option("path", s->file, "a file with the key")->required();
    c->add_option("host", s->host, "the NQN of the host")->required();
    c->add_option("subsystem", s->subsystem, "the NQN of the subsystem")->required();
    c->add_flag("--version-0", s->version_0, "of the version that has no digest");
    c->add_flag("--compat", s->compat, "as libnvme up to 1.14 makes it");
    c->callback([s] {
        const auto key = value_or_leave(host::read_tls_key_file(s->file));
        const auto psk = value_or_leave(
            security::derive_tls_psk(key, s->host, s->subsystem,
                                     s->version_0 ? security::tls_identity_version::plain
                                                  : security::tls_identity_version::digest,
                                     s->compat ? security::tls_derivation::old_libnvme
                                               : security::tls_derivation::standard));
        fmt::print("{}\n", psk.identity);
    });
}

void add_key_set(CLI::App& group) {
    auto s = std::make_shared<key_settings>();
    CLI::App* const c = s->session.add_verb(
        group, "set", "hand fulmard a key, or another one in the place of that name", false);
    c->add_option("name", s->name, "what subsystems refer to it by")->required();
    c->add_option("path", s->file, "a file with the key")->required();
    c->add_option("--grace", s->grace_s, "seconds for which the former one is accepted as well")
        ->capture_default_str();
    c->callback([s] {
        std::string what;
        const security::secret text = text_of_key_file(s->file, what);
        json body{
            {"name", s->name}, {"key", std::string(text.reveal_text())}, {"grace_s", s->grace_s}};
        s->session.done(s->session.change("POST", "/v1/keys", &body),
                        fmt::format("fulmard has the key {}", s->name));
    });
}

}  // namespace

void add_key(CLI::App& app) {
    CLI::App* const group =
        app.add_subcommand("key", "keys that hosts and subsystems prove themselves with");
    group->require_subcommand(1);
    add_key_generate(*group);
    add_key_check(*group);
    add_show_identity(*group);
    {
        auto s = std::make_shared<key_settings>();
        CLI::App* const c = s->session.add_verb(*group, "list", "keys that fulmard has", false);
        c->callback([s] {
            const json all = s->session.get("/v1/keys");
            s->session.show(all, [&] { return keys_text(all); });
        });
    }
    add_key_set(*group);
    auto s = std::make_shared<key_settings>();
    CLI::App* const c = s->session.add_verb(
        *group, "remove", "hosts that need the key cannot connect any more", false);
    c->add_option("name", s->name, "its name")->required();
    c->callback([s] {
        s->session.done(s->session.change("DELETE", place_of_key(*s)),
                        fmt::format("fulmard has no key {} any more", s->name));
    });
}

}  // namespace fulmar::cli
