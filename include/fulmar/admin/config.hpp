// The configuration file: what `fulmard --config FILE` reads, checks and acts upon.
// Reading reports every problem with its line, its JSON pointer and a remedy. Any thread; no state.
// Must never: act on a file that has a problem, or read values that the schema does not describe.
#pragma once

#include <fulmar/admin/broken.hpp>
#include <fulmar/admin/problem.hpp>
#include <fulmar/admin/role.hpp>
#include <fulmar/core/model.hpp>

#include <tl/expected.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::admin {

/// REST on loopback TCP; only when asked for.
struct tcp_options {
    std::string address = "127.0.0.1";  ///< loopback
    std::uint16_t port = 8420;
    std::string token_file = {};  ///< one line; readable by its owner only; empty: named tokens do
    friend bool operator==(const tcp_options&, const tcp_options&) = default;
};

/// What a listener of REST serves.
enum class admin_service : std::uint8_t { all, metrics };

/// REST over TCP: plain on loopback, and anywhere with a certificate, over TLS 1.3.
struct admin_listener {
    std::string address = "127.0.0.1";
    std::uint16_t port = 8420;
    std::string certificate = {};  ///< PEM, with its chain; empty: no TLS
    std::string key = {};          ///< PEM; readable by its owner only
    std::string client_ca = {};    ///< PEM; who has a certificate of it needs no token
    admin_service serves = admin_service::all;
    friend bool operator==(const admin_listener&, const admin_listener&) = default;
};

/// The role of clients whose certificate has a name that fits.
struct client_role {
    std::string certificate = {};  ///< a pattern: "CN=*", "DNS:*.example.org", "URI:spiffe://…"
    role grants = role::viewer;
    friend bool operator==(const client_role&, const client_role&) = default;
};

struct admin_options {
    std::string unix_socket = "/run/fulmar/admin.sock";  ///< empty: none
    std::uint32_t socket_mode = 0660;
    std::optional<tcp_options> tcp;
    std::vector<admin_listener> listeners = {};
    std::vector<client_role> client_roles = {};  ///< the first that fits counts
    std::string tokens = {};                     ///< empty: beside the journal
    bool audit = true;                           ///< a log line for every change
    friend bool operator==(const admin_options&, const admin_options&) = default;
};

struct core_options {
    std::uint32_t data = 1;      ///< data reactors
    std::vector<int> cpus = {};  ///< one per data reactor, or none: chosen by the pool
    std::uint32_t busy_poll_us = 100;
    friend bool operator==(const core_options&, const core_options&) = default;
};

enum class hugepage_use : std::uint8_t { automatic, on, off };

struct memory_options {
    std::uint32_t pool_mib = limits::default_pool_bytes / (1024 * 1024);  ///< per data reactor
    hugepage_use hugepages = hugepage_use::automatic;
    friend bool operator==(const memory_options&, const memory_options&) = default;
};

/// Drives by where they are and by what they say of themselves, in the patterns of a shell; an
/// empty one matches all.
struct drive_pattern {
    std::string address = {};
    std::string serial = {};
    std::string model = {};
    friend bool operator==(const drive_pattern&, const drive_pattern&) = default;
};

/// What becomes of a drive that arrives and has no device.
struct attach_rule {
    drive_pattern which = {};
    std::string subsystem = {};     ///< that gets its first namespace; empty: a device is all
    core::namespace_spec use = {};  ///< how that is served when its drive is lost
    core::write_cache_mode write_cache = core::write_cache_mode::device;
    friend bool operator==(const attach_rule&, const attach_rule&) = default;
};

struct drive_options {
    /// The drives that may be taken; none: all of them.
    std::optional<std::vector<drive_pattern>> allow = std::nullopt;
    std::vector<attach_rule> auto_attach = {};
    friend bool operator==(const drive_options&, const drive_options&) = default;
};

/// Which files and block devices REST may name.
struct file_options {
    /// Patterns of paths; none: those of the configuration file, and the folder of the journal.
    std::optional<std::vector<std::string>> allow = std::nullopt;
    friend bool operator==(const file_options&, const file_options&) = default;
};

/// What a change of which needs a restart.
struct daemon_options {
    admin_options admin;
    core_options cores;
    memory_options memory;
    drive_options drives;
    file_options files;
    std::string log_level = "info";  ///< trace debug info warn error
    std::string state_dir = {};      ///< of the journal; empty: beside the config file
    core::target_options target;
    friend bool operator==(const daemon_options&, const daemon_options&) = default;
};

struct daemon_config {
    daemon_options options;
    core::target_spec spec;
    std::vector<problem> warnings;
    std::vector<broken_object> broken = {};  ///< set aside; only when it was read leniently
};

using config_outcome = tl::expected<daemon_config, problem_list>;

/// Reads a document. Paths stay as they are written; relative ones are compared with others as
/// paths in `folder`, which may be empty.
/// Called on: any thread.
config_outcome parse_config(std::string_view text, const std::string& folder = {});
/// Likewise, but objects with problems are set aside. Problems that concern no object, such as
/// those of the syntax or of an option, are errors as ever. Called on: any thread.
config_outcome parse_config_leniently(std::string_view text, const std::string& folder = {});

/// Relative paths in a config file are relative to the folder that holds the file.
/// Called on: any thread.
void resolve_paths(daemon_config& config, const std::string& folder);
/// `path` seen from `folder`; absolute (and empty) paths stay.
/// Called on: any thread.
std::string resolve_path(const std::string& path, const std::string& folder);
/// The absolute folder that holds file `path`.
/// Called on: any thread.
std::string folder_of(const std::string& path);

struct loaded_config {
    daemon_config config;  ///< paths resolved
    std::string text;      ///< the file as it is
    std::string digest;    ///< of `text`: tells whether somebody has edited the file
};

/// Reads, checks and resolves the file. Problems of opening it are in the list as well.
/// Called on: any thread.
tl::expected<loaded_config, problem_list> load_config(const std::string& path);
/// Likewise, as of parse_config_leniently(): what a start serves.
/// Called on: any thread.
tl::expected<loaded_config, problem_list> load_config_leniently(const std::string& path);

/// What only the file system can tell: devices that are one file or block device under two paths.
/// At a start the second of them is refused and the rest is served, so this is for who asks before.
/// Called on: any thread.
problem_list check_files(const loaded_config& loaded);

/// SHA-256 in hexadecimal.
/// Called on: any thread.
std::string digest_of(std::string_view text);

/// `text` with its listeners, devices, subsystems and referrals replaced by `spec`; everything else
/// as it was, and so are objects that are broken. `text` must be a document that
/// parse_config_leniently accepts.
/// Called on: any thread.
std::string render_config(std::string_view text, const core::target_spec& spec);

/// Pointers of the options that differ: "/cores/data". A running daemon does not follow those.
/// Called on: any thread.
std::vector<std::string> changed_options(const daemon_options& from, const daemon_options& to);

}  // namespace fulmar::admin
