; Int4Group32.4x2: 1369 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x30]
    vmovups      zmm8, [r11]
    vmovups      zmm9, [r11+0x40]
    vmovups      zmm10, [r11+0x80]
    vmovups      zmm11, [r11+0xc0]
    vmovups      zmm12, [r11+0x100]
    vmovups      zmm13, [r11+0x140]
    vmovups      zmm14, [r11+0x180]
    vmovups      zmm15, [r11+0x1c0]
    mov          esi, 0xf0f0f0f
    vpbroadcastd zmm21, esi
L1:
    vpbroadcastd zmm0, [r9]
    vpbroadcastd zmm1, [r9]
    vpbroadcastd zmm2, [r9]
    vpbroadcastd zmm3, [r9]
    vpbroadcastd zmm4, [r9+4]
    vpbroadcastd zmm5, [r9+4]
    vpbroadcastd zmm6, [r9+4]
    vpbroadcastd zmm7, [r9+4]
    add          r9, 8
    mov          esi, [rdi+0x34]
    cmp          ecx, 1
    cmove        esi, [rdi+0x38]
L2:
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vpandd       zmm16, zmm21, [rax]
    vpandd       zmm17, zmm21, [rax+0x40]
    vpandd       zmm18, zmm21, [rax+0x80]
    vpandd       zmm19, zmm21, [rax+0xc0]
    vpbroadcastd zmm20, [rdx]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+4]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    vpsrld       zmm16, [rax], 4
    vpandd       zmm16, zmm16, zmm21
    vpsrld       zmm17, [rax+0x40], 4
    vpandd       zmm17, zmm17, zmm21
    vpsrld       zmm18, [rax+0x80], 4
    vpandd       zmm18, zmm18, zmm21
    vpsrld       zmm19, [rax+0xc0], 4
    vpandd       zmm19, zmm19, zmm21
    vpbroadcastd zmm20, [rdx+8]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0xc]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vpandd       zmm16, zmm21, [rax+0x100]
    vpandd       zmm17, zmm21, [rax+0x140]
    vpandd       zmm18, zmm21, [rax+0x180]
    vpandd       zmm19, zmm21, [rax+0x1c0]
    vpbroadcastd zmm20, [rdx+0x10]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x14]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    vpsrld       zmm16, [rax+0x100], 4
    vpandd       zmm16, zmm16, zmm21
    vpsrld       zmm17, [rax+0x140], 4
    vpandd       zmm17, zmm17, zmm21
    vpsrld       zmm18, [rax+0x180], 4
    vpandd       zmm18, zmm18, zmm21
    vpsrld       zmm19, [rax+0x1c0], 4
    vpandd       zmm19, zmm19, zmm21
    vpbroadcastd zmm20, [rdx+0x18]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x1c]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vpandd       zmm16, zmm21, [rax+0x200]
    vpandd       zmm17, zmm21, [rax+0x240]
    vpandd       zmm18, zmm21, [rax+0x280]
    vpandd       zmm19, zmm21, [rax+0x2c0]
    vpbroadcastd zmm20, [rdx+0x20]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x24]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    vpsrld       zmm16, [rax+0x200], 4
    vpandd       zmm16, zmm16, zmm21
    vpsrld       zmm17, [rax+0x240], 4
    vpandd       zmm17, zmm17, zmm21
    vpsrld       zmm18, [rax+0x280], 4
    vpandd       zmm18, zmm18, zmm21
    vpsrld       zmm19, [rax+0x2c0], 4
    vpandd       zmm19, zmm19, zmm21
    vpbroadcastd zmm20, [rdx+0x28]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x2c]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vpandd       zmm16, zmm21, [rax+0x300]
    vpandd       zmm17, zmm21, [rax+0x340]
    vpandd       zmm18, zmm21, [rax+0x380]
    vpandd       zmm19, zmm21, [rax+0x3c0]
    vpbroadcastd zmm20, [rdx+0x30]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x34]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    vpsrld       zmm16, [rax+0x300], 4
    vpandd       zmm16, zmm16, zmm21
    vpsrld       zmm17, [rax+0x340], 4
    vpandd       zmm17, zmm17, zmm21
    vpsrld       zmm18, [rax+0x380], 4
    vpandd       zmm18, zmm18, zmm21
    vpsrld       zmm19, [rax+0x3c0], 4
    vpandd       zmm19, zmm19, zmm21
    vpbroadcastd zmm20, [rdx+0x38]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x3c]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    add          rax, 0x400
    add          rdx, 0x40
    dec          esi
    jne          near L2
    vcvtph2ps    zmm16, [rax]
    vcvtph2ps    zmm17, [rax+0x20]
    vcvtph2ps    zmm18, [rax+0x40]
    vcvtph2ps    zmm19, [rax+0x60]
    vcvtdq2ps    zmm0, zmm0
    vmulps       zmm0, zmm0, zmm16
    vfmadd231ps  zmm8, zmm0, [r8]{1to16}
    vcvtdq2ps    zmm1, zmm1
    vmulps       zmm1, zmm1, zmm17
    vfmadd231ps  zmm9, zmm1, [r8]{1to16}
    vcvtdq2ps    zmm2, zmm2
    vmulps       zmm2, zmm2, zmm18
    vfmadd231ps  zmm10, zmm2, [r8]{1to16}
    vcvtdq2ps    zmm3, zmm3
    vmulps       zmm3, zmm3, zmm19
    vfmadd231ps  zmm11, zmm3, [r8]{1to16}
    vcvtdq2ps    zmm4, zmm4
    vmulps       zmm4, zmm4, zmm16
    vfmadd231ps  zmm12, zmm4, [r8+4]{1to16}
    vcvtdq2ps    zmm5, zmm5
    vmulps       zmm5, zmm5, zmm17
    vfmadd231ps  zmm13, zmm5, [r8+4]{1to16}
    vcvtdq2ps    zmm6, zmm6
    vmulps       zmm6, zmm6, zmm18
    vfmadd231ps  zmm14, zmm6, [r8+4]{1to16}
    vcvtdq2ps    zmm7, zmm7
    vmulps       zmm7, zmm7, zmm19
    vfmadd231ps  zmm15, zmm7, [r8+4]{1to16}
    add          r8, 8
    add          rax, 0x80
    dec          ecx
    jne          near L1
    vmovups      [r11], zmm8
    vmovups      [r11+0x40], zmm9
    vmovups      [r11+0x80], zmm10
    vmovups      [r11+0xc0], zmm11
    vmovups      [r11+0x100], zmm12
    vmovups      [r11+0x140], zmm13
    vmovups      [r11+0x180], zmm14
    vmovups      [r11+0x1c0], zmm15
    vzeroupper
    ret
