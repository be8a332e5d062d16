#include "ceph_cluster.hpp"

#include "storage_server.hpp"
#include "support/eventually.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace fulmar::cluster {

namespace {

// {0}: the folder, {1}: the monitor's port, {2}: the cluster's identifier.
constexpr const char* ceph_conf = R"([global]
fsid = {2}
mon host = v2:127.0.0.1:{1}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {0}/keyring
ms bind msgr1 = false
osd pool default size = 2
osd pool default min size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon data avail crit = 1
mon osd min down reporters = 1
mon allow pool delete = true
osd heartbeat interval = 1
osd objectstore = memstore
memstore device bytes = 1073741824
memstore page set = true
memstore page size = 65536
mon data = {0}/mon
osd data = {0}/osd.$id
run dir = {0}
log file = {0}/$name.log
admin socket = {0}/$name.asok
pid file = {0}/$name.pid
[client]
log file =
admin socket =
)";

std::string new_uuid() {
    std::string text;
    std::ifstream("/proc/sys/kernel/random/uuid") >> text;
    return text;
}

}  // namespace

std::string ceph_cluster::missing() {
    for (const char* program :
         {"ceph-mon", "ceph-osd", "ceph", "rbd", "monmaptool", "ceph-authtool"})
        if (path_of(program).empty()) return program;
    return {};
}

ceph_cluster::~ceph_cluster() {
    for (pid_t& osd : osd_) end(osd);
    end(monitor_);
}

void ceph_cluster::end(pid_t& which) {
    if (which < 0) return;
    ::kill(which, SIGKILL);
    ::waitpid(which, nullptr, 0);
    which = -1;
}

pid_t ceph_cluster::spawn(std::vector<std::string> arguments, const std::string& log) const {
    arguments[0] = path_of(arguments[0]);
    std::vector<char*> argv;
    for (std::string& one : arguments) argv.push_back(one.data());
    argv.push_back(nullptr);
    const int output = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(output, STDOUT_FILENO);
        ::dup2(output, STDERR_FILENO);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ::close(output);
    return child;
}

std::string ceph_cluster::write_files() {
    port_ = e2e::free_port();
    const std::string fsid = new_uuid();
    std::ofstream(conf()) << fmt::format(ceph_conf, folder_, port_, fsid);
    std::filesystem::create_directories(folder_ + "/mon");
    struct someone {
        const char *name, *mon, *osd;
    };
    const std::string authtool = path_of("ceph-authtool");
    for (const someone& who :
         {someone{"mon.", "allow *", ""}, someone{"client.admin", "allow *", "allow *"},
          someone{"osd.0", "allow profile osd", "allow *"},
          someone{"osd.1", "allow profile osd", "allow *"},
          someone{"client.fulmar", "profile rbd", "profile rbd pool=rbd"},
          someone{"client.reader", "profile rbd-read-only", "profile rbd-read-only pool=rbd"}}) {
        std::vector<std::string> all{authtool, keyring(), "--gen-key", "-n",
                                     who.name, "--cap",   "mon",       who.mon};
        if (!std::filesystem::exists(keyring())) all.push_back("-C");
        if (who.osd[0] != '\0') all.insert(all.end(), {"--cap", "osd", who.osd});
        if (const auto done = e2e::run(all); done.exit_code != 0) return done.output;
    }
    for (const std::vector<std::string>& one : std::vector<std::vector<std::string>>{
             {path_of("monmaptool"), "--create", "--fsid", fsid, "--addv", "a",
              fmt::format("[v2:127.0.0.1:{}]", port_), folder_ + "/monmap"},
             {path_of("ceph-mon"), "-c", conf(), "--mkfs", "-i", "a", "--monmap",
              folder_ + "/monmap", "--keyring", keyring()}})
        if (const auto done = e2e::run(one); done.exit_code != 0) return done.output;
    return {};
}

std::string ceph_cluster::boot() {
    if (std::string failed = write_files(); !failed.empty()) return failed;
    if (!start_monitor()) return "the monitor does not start";
    for (int i = 0; i < osds; ++i) {
        const std::string uuid = new_uuid();
        std::filesystem::create_directories(fmt::format("{}/osd.{}", folder_, i));
        if (const auto done = ceph({"osd", "new", uuid}); done.exit_code != 0) return done.output;
        const auto made = e2e::run({path_of("ceph-osd"), "-c", conf(), "-i", std::to_string(i),
                                    "--mkfs", "--osd-uuid", uuid});
        if (made.exit_code != 0) return made.output;
        if (!start_osd(i)) return "an OSD does not start";
    }
    const auto pool = ceph({"osd", "pool", "create", "rbd", "8", "8", "replicated"});
    if (pool.exit_code != 0) return pool.output;
    if (!test::eventually([this] { return all_up(); })) return "the OSDs do not come up";
    booted_ = true;
    return {};
}

e2e::finished ceph_cluster::rbd(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {path_of("rbd"), "-c", conf()});
    return e2e::run(arguments, 60);
}

e2e::finished ceph_cluster::ceph(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {path_of("ceph"), "-c", conf(), "--connect-timeout", "20"});
    return e2e::run(arguments, 60);
}

bool ceph_cluster::start_osd(int which) {
    auto& osd = osd_[static_cast<std::size_t>(which)];
    end(osd);
    osd = spawn({"ceph-osd", "-c", conf(), "-f", "-i", std::to_string(which)},
                fmt::format("{}/osd.{}.out", folder_, which));
    return osd > 0;
}

bool ceph_cluster::start_monitor() {
    end(monitor_);
    monitor_ = spawn({"ceph-mon", "-c", conf(), "-f", "-i", "a"}, folder_ + "/mon.out");
    return monitor_ > 0;
}

void ceph_cluster::signal_osd(int which, int number) const {
    ::kill(osd_[static_cast<std::size_t>(which)], number);
}
void ceph_cluster::signal_monitor(int number) const { ::kill(monitor_, number); }
void ceph_cluster::kill_osd(int which) { end(osd_[static_cast<std::size_t>(which)]); }
void ceph_cluster::kill_monitor() { end(monitor_); }

bool ceph_cluster::all_up() const {
    return ceph({"osd", "stat"}).output.find("2 osds: 2 up") != std::string::npos;
}

}  // namespace fulmar::cluster
